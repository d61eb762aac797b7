"""`/sluice/console`: signing in and out, and the console's own files."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import Response

from plugins.core.clock import Clock
from plugins.core.errors import Forbidden, GatewayError
from plugins.core.tenant import Principal, Role
from plugins.web.pages import CONSOLE, SIGN_IN, Pages, seen_elsewhere, static_file
from plugins.web.session import COOKIE, LIFETIME, Session, Sessions, is_form_of

START: Final = f"{CONSOLE}/reviews"
_PAGE: Final = re.compile(rf"{CONSOLE}/[\w/-]{{1,200}}", re.ASCII)
_NOT_TAKEN: Final = {
    "key_revoked": "This key was revoked. Ask your administrator for a new one.",
    "key_expired": "This key has expired. Ask your administrator for a new one.",
    "tenant_suspended": "This key's tenant is suspended. Ask your administrator.",
    "service_unavailable": "Keys cannot be looked up just now. Try again in a minute.",
}
_UNKNOWN: Final = (
    "This is no key of this gateway. Copy the whole of it, from sk- to its last character, or ask"
    " your administrator for a new one."
)
_A_TENANTS: Final = (
    "This key calls models and opens no reviews. Sign in with a reviewer's key: your administrator"
    " makes one."
)
_WELCOME: Final = frozenset({Role.REVIEWER, Role.ADMIN})
_OWN: Final = frozenset({"same-origin", "none"})


def page_or_start(path: str) -> str:
    """Give a page of the console to go to; the start for anything else, such as another site."""
    return path if _PAGE.fullmatch(path) else START


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
    async def ask(  # pyright: ignore[reportUnusedFunction]
        then: Annotated[str, Query(max_length=256)] = START, left: bool = False
    ) -> Response:
        """Ask for a key."""
        return pages.page("sign_in.html", then=page_or_start(then), left=left)

    @api.post("/sign-in")
    async def sign_in(  # pyright: ignore[reportUnusedFunction]
        request: Request,
        key: Annotated[str, Form(max_length=256)] = "",
        then: Annotated[str, Form(max_length=256)] = START,
    ) -> Response:
        """Begin a session, or say why not."""
        then = page_or_start(then)
        verdict = await authenticate(key.strip())
        if isinstance(verdict, GatewayError):
            fault = _NOT_TAKEN.get(verdict.code, _UNKNOWN)
            return pages.page("sign_in.html", verdict.status, fault=fault, then=then)
        if verdict.role not in _WELCOME:
            return pages.page("sign_in.html", 403, fault=_A_TENANTS, then=then)
        answer = seen_elsewhere(then)
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
        session = session_of(request)
        if session is None:
            return seen_elsewhere(SIGN_IN)
        if not is_form_of(session, form_token):
            raise Forbidden(
                "you have signed in anew since this page was opened: load it again, then sign out",
                code="form_expired",
            )
        answer = seen_elsewhere(f"{SIGN_IN}?left=true")
        answer.delete_cookie(COOKIE, path=CONSOLE, httponly=True, samesite="strict")
        return answer

    return api
