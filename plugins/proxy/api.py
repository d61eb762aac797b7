"""The gateway's own routes under `/sluice/`; the door has authenticated every request."""

from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException as StarletteHTTPException

from plugins.alerts import routes as alerts_routes
from plugins.assembly import Parts, limit_policy
from plugins.breaker import routes as breaker_routes
from plugins.cache import routes as cache_routes
from plugins.cache.report import CacheReport
from plugins.confidence import routes as confidence_routes
from plugins.core.errors import Forbidden, GatewayError, InvalidRequest
from plugins.core.tenant import Principal, Role
from plugins.cost import routes as cost_routes
from plugins.feedback import routes as feedback_routes
from plugins.limits import routes as limits_routes
from plugins.lineage import routes as lineage_routes
from plugins.proxy.console import build_console
from plugins.proxy.door import CALL_ID_KEY, OWN_PREFIX, PRINCIPAL_KEY
from plugins.proxy.host_errors import not_found
from plugins.proxy.refusals import refuse
from plugins.review import routes as review_routes
from plugins.tenancy import routes as tenancy_routes
from plugins.web.pages import CONSOLE, seen_elsewhere

MAX_PARAM: Final = 128


def anyone(request: Request) -> Principal:
    """Give who calls, as the door found."""
    principal: Principal = request.scope[PRINCIPAL_KEY]
    return principal


def principal_of(request: Request) -> Principal:
    """Give who calls: a tenant, who sees its own things, or an administrator.

    Raises:
        Forbidden: when it is a reviewer; a tenant's money and keys are none of their business.
    """
    principal = anyone(request)
    if principal.role is Role.REVIEWER:
        raise Forbidden(
            "a reviewer's key works the review queue and nothing else", code="tenant_key_required"
        )
    return principal


def reviewer(request: Request) -> Principal:
    """Give who calls.

    Raises:
        Forbidden: when it is neither a reviewer nor an administrator.
    """
    principal = anyone(request)
    if principal.role is Role.TENANT:
        raise Forbidden(
            "reviews take a reviewer's key; `sluice keys create --reviewer` makes one",
            code="reviewer_key_required",
        )
    return principal


def administrator(request: Request) -> Principal:
    """Give who calls.

    Raises:
        Forbidden: when it is no administrator.
    """
    principal = principal_of(request)
    if principal.role is not Role.ADMIN:
        raise Forbidden("only an administrator's key may do this", code="admin_key_required")
    return principal


class RefusalDetail(BaseModel):
    """Why a request was refused."""

    message: str
    type: str
    param: str | None
    code: str


class Refusal(BaseModel):
    """What every refusal of these routes looks like, which is OpenAI's shape."""

    error: RefusalDetail


def build_api(parts: Parts) -> FastAPI:
    """Make the application that serves `/sluice/`."""
    app = FastAPI(
        title="Sluice",
        openapi_url=OWN_PREFIX + "openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={"4XX": {"model": Refusal, "description": "Refused; `code` is stable"}},
    )
    prefix = OWN_PREFIX.rstrip("/")
    app.include_router(cost_routes.router(parts.ledger, principal_of, parts.clock), prefix=prefix)
    app.include_router(
        tenancy_routes.router(
            parts.tenants, principal_of, anyone, administrator, parts.catalogue_names, parts.clock
        ),
        prefix=prefix,
    )
    app.include_router(
        cache_routes.router(
            parts.cached, CacheReport(parts.engine), parts.sealer, principal_of, parts.clock
        ),
        prefix=prefix,
    )
    app.include_router(
        lineage_routes.router(
            parts.lineage, parts.tenant_keys, parts.eraser, principal_of, administrator
        ),
        prefix=prefix,
    )
    providers = {deployment.provider for deployment in parts.deployments}
    app.include_router(
        breaker_routes.router(parts.circuits, providers, administrator), prefix=prefix
    )
    app.include_router(alerts_routes.router(parts.alerts, administrator), prefix=prefix)
    app.include_router(
        limits_routes.router(
            parts.limiter,
            limit_policy(parts.configuration),
            parts.directory.principals,
            principal_of,
        ),
        prefix=prefix,
    )
    app.include_router(
        feedback_routes.router(parts.feedback, principal_of, parts.clock), prefix=prefix
    )
    app.include_router(
        review_routes.router(parts.reviews, parts.review_work, reviewer, principal_of),
        prefix=prefix,
    )
    app.include_router(confidence_routes.router(parts.calibration, administrator), prefix=prefix)
    console = build_console(
        parts.directory, parts.environment.secret, parts.reviews, parts.review_work, parts.clock
    )
    app.add_api_route(CONSOLE, _to_console, include_in_schema=False)
    app.mount(CONSOLE, console)
    app.add_exception_handler(GatewayError, _on_gateway_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(StarletteHTTPException, _on_http)
    app.add_exception_handler(Exception, _on_failure)
    return app


async def _to_console() -> Response:
    """Send whoever leaves the slash out to the console all the same."""
    return seen_elsewhere(f"{CONSOLE}/")


def _response(request: Request, error: GatewayError) -> Response:
    reply = refuse(error, None, request.scope.get(CALL_ID_KEY, ""))
    headers = {name.decode(): value.decode() for name, value in reply.headers}
    return Response(reply.body, reply.status, headers)


async def _on_gateway_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)  # noqa: S101 - registered for this class only
    return _response(request, error)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in {"body", "query", "path"})
    where = where.encode("utf-8", "replace").decode()[:MAX_PARAM]
    return _response(request, InvalidRequest(f"`{where}`: {first['msg']}", param=where or None))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)  # noqa: S101 - registered for this class only
    if error.status_code == 405:
        refusal: GatewayError = InvalidRequest(
            f"{request.method} is not a method of {request.url.path[:128]!r}",
            code="method_not_allowed",
        )
        response = _response(request, refusal)
        response.status_code = 405
        response.headers.update(error.headers or {})
        return response
    if error.status_code == 400:
        return _response(
            request,
            InvalidRequest("the body is not valid JSON in UTF-8; mend it", code="invalid_json"),
        )
    return _response(request, not_found(request.url.path))


async def _on_failure(request: Request, error: Exception) -> Response:
    """Say that it was not the client's fault; Starlette raises the error again, to be logged."""
    return _response(
        request, GatewayError("the gateway failed at this request; it is logged by its id")
    )
