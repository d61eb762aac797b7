"""`/sluice/console`: signing in and out, and the console's own files."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Path, Request
from fastapi.responses import Response

from plugins.core.clock import Clock
from plugins.core.errors import Forbidden, GatewayError
from plugins.core.tenant import Principal, Role
from plugins.web.pages import CONSOLE, SIGN_IN, Pages, seen_elsewhere, static_file
from plugins.web.session import COOKIE, LIFETIME, Session, Sessions, is_form_of

START: Final = f"{CONSOLE}/reviews"
_WELCOME: Final = frozenset({Role.REVIEWER, Role.ADMIN})
_OWN: Final = frozenset({"same-origin", "none"})


def of_this_site(request: Request) -> None:
    """See that a form was sent by a page of ours, or typed by hand; browsers say which.

    Raises:
        Forbidden: when another site sent it.
    """
    site = request.headers.get("sec-fetch-site", "none")
    if request.method == "POST" and site not in _OWN:
        raise Forbidden("the form was sent by another site", code="cross_site")


def router(  # noqa: C901 - registers routes; each is a function of its own
    authenticate: Callable[[str], Awaitable[Principal | GatewayError]],
    session_of: Callable[[Request], Session | None],
    sessions: Sessions,
    pages: Pages,
    clock: Clock,
) -> APIRouter:
    """Make the routes.

    Args:
        authenticate: tells who holds a key.
        session_of: gives a browser's session, or None.
        sessions: makes the cookies.
        pages: renders.
        clock: tells when a session begins.
    """
    api = APIRouter(include_in_schema=False, dependencies=[Depends(of_this_site)])

    @api.get("/")
    async def start() -> Response:  # pyright: ignore[reportUnusedFunction] - registered so
        """Show what there is to do."""
        return seen_elsewhere(START)

    @api.get("/static/{name}")
    async def static(name: Annotated[str, Path(max_length=64)]) -> Response:  # pyright: ignore[reportUnusedFunction]
        """Give one of the console's own files."""
        return static_file(name)

    @api.get("/sign-in")
    async def ask() -> Response:  # pyright: ignore[reportUnusedFunction]
        """Ask for a key."""
        return pages.page("sign_in.html")

    @api.post("/sign-in")
    async def sign_in(  # pyright: ignore[reportUnusedFunction]
        request: Request, key: Annotated[str, Form(max_length=256)] = ""
    ) -> Response:
        """Begin a session, or say why not."""
        verdict = await authenticate(key.strip())
        if isinstance(verdict, GatewayError):
            return pages.page(
                "sign_in.html", verdict.status, notice={"text": verdict.message, "bad": True}
            )
        if verdict.role not in _WELCOME:
            text = "this is a tenant's key: it calls models; reviews take a reviewer's"
            return pages.page("sign_in.html", 403, notice={"text": text, "bad": True})
        answer = seen_elsewhere(START)
        answer.set_cookie(
            COOKIE,
            sessions.begin(verdict.key_id, clock.now()),
            max_age=int(LIFETIME.total_seconds()),
            path=CONSOLE,
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return answer

    @api.post("/sign-out")
    async def sign_out(  # pyright: ignore[reportUnusedFunction]
        request: Request, form_token: Annotated[str, Form()] = ""
    ) -> Response:
        """End the session."""
        answer = seen_elsewhere(SIGN_IN)
        session = session_of(request)
        if session is not None and is_form_of(session, form_token):
            answer.delete_cookie(COOKIE, path=CONSOLE, httponly=True, samesite="strict")
        return answer

    return api
