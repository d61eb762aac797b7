"""The console as an application of its own: who signed in, and errors as pages."""

from collections.abc import Callable
from typing import Final

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
from plugins.review.work import Work
from plugins.tenancy.store import KeyDirectory
from plugins.web import routes as web_routes
from plugins.web.pages import SIGN_IN, Pages, seen_elsewhere
from plugins.web.session import COOKIE, Session, Sessions

_TITLES: Final = {
    400: "That did not arrive whole",
    403: "Not allowed",
    404: "Nothing here",
    409: "Somebody was faster",
    503: "Not just now",
}


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
        return Visitor(principal, session)

    return visitor


def _handle_errors(app: FastAPI, pages: Pages) -> None:
    def said(error: GatewayError, status: int) -> Response:
        title = _TITLES.get(status, "That failed")
        return pages.page("message.html", status, title=title, message=error.message)

    async def on_sign_in(request: Request, error: Exception) -> Response:
        answer = seen_elsewhere(SIGN_IN)
        if request.headers.get("hx-request"):
            answer.headers["hx-redirect"] = SIGN_IN
        return answer

    async def on_refusal(request: Request, error: Exception) -> Response:
        assert isinstance(error, GatewayError)  # noqa: S101 - registered for this class only
        return said(error, error.status)

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it only
        where = ".".join(str(part) for part in error.errors()[0]["loc"][1:])[:64]
        return said(InvalidRequest(f"`{where}` of the form cannot be taken as it is"), 400)

    async def on_http(request: Request, error: Exception) -> Response:
        assert isinstance(error, StarletteHTTPException)  # noqa: S101 - registered for it only
        return said(not_found(request.url.path), error.status_code)

    async def on_failure(request: Request, error: Exception) -> Response:
        return said(GatewayError("the gateway failed at this; it is in its log"), 500)

    app.add_exception_handler(SignInNeeded, on_sign_in)
    app.add_exception_handler(GatewayError, on_refusal)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(StarletteHTTPException, on_http)
    app.add_exception_handler(Exception, on_failure)
