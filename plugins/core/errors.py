"""Everything the gateway may refuse, as one family with stable codes.

A stage returns such an error as a value; only `plugins/proxy` turns it into HTTP. A message names
the value, the limit and the remedy; it never holds prompt text, a key or another tenant's name.
"""

from typing import ClassVar, Final, Literal

from typing_extensions import override

ErrorType = Literal[
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "rate_limit_error",
    "api_error",
]


class GatewayError(Exception):
    """A refusal or failure that a client is told about.

    Args:
        message: one sentence for the client: the value, the limit and the remedy.
        code: overrides the class's stable code where one class has several.
        param: the request field at fault, as a path such as `messages[0].content`.
        retry_after_s: seconds after which the same call may succeed.
    """

    status: ClassVar[int] = 500
    type: ClassVar[ErrorType] = "api_error"
    default_code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message: Final = message
        self.code: Final = code or self.default_code
        self.param: Final = param
        self.retry_after_s: Final = retry_after_s

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}(status={self.status}, code={self.code!r})"


class InvalidRequest(GatewayError):  # noqa: N818 - named for what the client did
    """The body or a header cannot be taken as it is (400)."""

    status: ClassVar[int] = 400
    type: ClassVar[ErrorType] = "invalid_request_error"
    default_code: ClassVar[str] = "invalid_request"


class BodyTooLarge(InvalidRequest):
    """The body has more bytes than the gateway reads (413)."""

    status: ClassVar[int] = 413
    default_code: ClassVar[str] = "request_too_large"


class Unauthenticated(GatewayError):  # noqa: N818 - named for what the client is
    """No key, or one that is unknown, expired or revoked (401)."""

    status: ClassVar[int] = 401
    type: ClassVar[ErrorType] = "authentication_error"
    default_code: ClassVar[str] = "invalid_api_key"


class Forbidden(GatewayError):  # noqa: N818 - named for the answer
    """A valid key that may not do this (403)."""

    status: ClassVar[int] = 403
    type: ClassVar[ErrorType] = "permission_error"
    default_code: ClassVar[str] = "forbidden"


class NotFound(GatewayError):  # noqa: N818 - named for the answer
    """The thing asked for does not exist for this caller (404)."""

    status: ClassVar[int] = 404
    type: ClassVar[ErrorType] = "not_found_error"
    default_code: ClassVar[str] = "not_found"


class Conflict(GatewayError):  # noqa: N818 - named for the answer
    """The thing exists already, or is in a state that forbids this (409)."""

    status: ClassVar[int] = 409
    type: ClassVar[ErrorType] = "invalid_request_error"
    default_code: ClassVar[str] = "conflict"


class RateLimited(GatewayError):  # noqa: N818 - named for the answer
    """A limit of the caller's is used up for now (429)."""

    status: ClassVar[int] = 429
    type: ClassVar[ErrorType] = "rate_limit_error"
    default_code: ClassVar[str] = "rate_limited"


class ProviderFailed(GatewayError):  # noqa: N818 - named for what happened
    """No tier answered (502)."""

    status: ClassVar[int] = 502
    default_code: ClassVar[str] = "provider_error"


class ProviderTimedOut(ProviderFailed):
    """No tier answered in time (504)."""

    status: ClassVar[int] = 504
    default_code: ClassVar[str] = "provider_timeout"


class Unavailable(GatewayError):  # noqa: N818 - named for the answer
    """Something the gateway itself needs is away (503)."""

    status: ClassVar[int] = 503
    default_code: ClassVar[str] = "service_unavailable"
