"""The console as an application of its own: who signed in, and errors as pages."""

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException as StarletteHTTPException

from plugins.core.clock import Clock
from plugins.core.errors import GatewayError, InvalidRequest
from plugins.core.tenant import Principal, Role
from plugins.proxy.host_errors import not_found
from plugins.review import pages as review_pages
from plugins.review.pages import Visitor
from plugins.review.store import ReviewStore
from plugins.review.words import told
from plugins.review.work import Work
from plugins.tenancy.store import KeyDirectory
from plugins.web import routes as web_routes
from plugins.web.pages import HEADERS, SIGN_IN, Pages, seen_elsewhere
from plugins.web.routes import page_or_start
from plugins.web.session import COOKIE, Session, Sessions

_TITLES: Final = {
    400: "That did not arrive whole",
    403: "That was not done",
    404: "There is nothing here",
    405: "There is nothing here",
    409: "Somebody was faster",
    500: "The gateway failed at this",
}


_ITEM: Final = re.compile(r".*/reviews/[0-9a-f-]{36}")


class SignInNeeded(Exception):  # noqa: N818 - named for what is needed
    """Nobody has signed in, or their session or key is over."""


def build_console(
    directory: KeyDirectory, secret: str, store: ReviewStore, work: Work, clock: Clock
) -> FastAPI:
    """Make the application that serves `/sluice/console`.

    Args:
        directory: tells who holds a key, and whether it is good still.
        secret: the installation's.
        store: the review queue.
        work: opens texts and takes decisions.
        clock: tells when sessions end.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    pages = Pages(review_pages.TEMPLATES)
    sessions = Sessions(secret)

    def session_of(request: Request) -> Session | None:
        return sessions.read(request.cookies.get(COOKIE, ""), clock.now())

    visitor = _visitor(directory.holder, session_of)
    app.include_router(
        web_routes.router(directory.authenticate, session_of, sessions, pages, clock)
    )
    app.include_router(review_pages.router(store, work, visitor, pages))
    _handle_errors(app, pages)
    return app


def _visitor(
    holder: Callable[[str], Principal | GatewayError],
    session_of: Callable[[Request], Session | None],
) -> Callable[[Request], Visitor]:
    def visitor(request: Request) -> Visitor:
        web_routes.of_this_site(request)
        session = session_of(request)
        principal = holder(session.key_id) if session else None
        if session is None or not isinstance(principal, Principal):
            raise SignInNeeded
        if principal.role is Role.TENANT:
            raise SignInNeeded
        request.state.visitor = Visitor(principal, session)
        return request.state.visitor

    return visitor


def _handle_errors(app: FastAPI, pages: Pages) -> None:
    def said(request: Request, error: GatewayError, status: int) -> Response:
        visitor: Visitor | None = getattr(request.state, "visitor", None)
        words = told(error)
        known = words.text != error.message
        return pages.page(
            "message.html",
            status,
            **(visitor.shown() if visitor else {}),
            title=words.title if known else _TITLES.get(status, "That did not work"),
            message=words.text,
            again=request.url.path if request.method == "GET" and status >= 500 else None,
        )

    async def on_sign_in(request: Request, error: Exception) -> Response:
        return await _asked_to_sign_in(request, pages)

    async def on_refusal(request: Request, error: Exception) -> Response:
        assert isinstance(error, GatewayError)  # noqa: S101 - registered for this class only
        return said(request, error, error.status)

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it only
        where = ".".join(str(part) for part in error.errors()[0]["loc"][1:])[:64]
        refusal = InvalidRequest(f"`{where}` cannot be taken as it is. Go back and try again.")
        return said(request, refusal, 400)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, StarletteHTTPException)  # noqa: S101 - registered for it only
        return said(request, not_found(request.url.path), error.status_code)

    async def on_failure(request: Request, error: Exception) -> Response:
        text = "It is in the gateway's log. Try again; if it happens once more, tell your operator."
        return said(request, GatewayError(text), 500)

    app.add_exception_handler(SignInNeeded, on_sign_in)
    app.add_exception_handler(GatewayError, on_refusal)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(StarletteHTTPException, on_http)
    app.add_exception_handler(Exception, on_failure)


async def _asked_to_sign_in(request: Request, pages: Pages) -> Response:
    """Send a visitor to the sign-in, and from there back; what they were sending is shown again."""
    page = _ITEM.match(request.url.path)
    then = page_or_start(page.group() if page else request.url.path)
    ask = f"{SIGN_IN}?{urlencode({'then': then})}"
    if request.method != "POST":
        if request.headers.get("sec-fetch-site") == "cross-site":
            # Browsers keep our cookie back when another site's link leads here; not from our own.
            return pages.page("onwards.html", then=then)
        if not request.headers.get("hx-request"):
            return seen_elsewhere(ask)
        # A script follows a redirect unseen: htmx goes where this header says.
        return Response(None, 401, {**HEADERS, "hx-redirect": ask})
    form = await request.form()
    written = {name: str(form.get(name, "")) for name in ("reason", "text")}
    return pages.page("session_over.html", 401, ask=ask, written=written)
