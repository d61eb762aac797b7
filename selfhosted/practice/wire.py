"""What a provider's handler gets and gives back, free of sockets.

A handler is a plain function from a `Call` to a `Reply`; `app` plays the reply to the client and
applies the programmed faults to it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TypeVar

import msgspec

from selfhosted.practice.faults import Plan
from selfhosted.practice.state import State

Headers = tuple[tuple[bytes, bytes], ...]
JSON_TYPE = (b"content-type", b"application/json")
SSE_TYPE = (b"content-type", b"text/event-stream; charset=utf-8")
_T = TypeVar("_T")
_encode = msgspec.json.Encoder().encode


class Refused(Exception):  # noqa: N818  # a value on its way out, not a defect
    """A request that the provider answers with an error.

    Args:
        status: HTTP status.
        message: what the client reads.
        code: the provider's stable code or type, where its shape has one.
        param: the field at fault, where the provider's shape has one.
    """

    def __init__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param


@dataclass(slots=True)
class Whole:
    """An answer in one piece."""

    body: bytes
    status: int = 200
    headers: Headers = (JSON_TYPE,)


@dataclass(slots=True)
class Stream:
    """An answer in pieces: what comes before the first chunk, the chunks, what comes after.

    Only `chunks` count for faults that act after n chunks and for the pace of a stream.
    """

    head: list[bytes]
    chunks: list[bytes]
    tail: list[bytes]
    headers: Headers = (SSE_TYPE,)


Reply = Whole | Stream


@dataclass(slots=True)
class Call:
    """One request to one provider.

    Attributes:
        path: the path below the provider's prefix, such as `/v1/chat/completions`.
        headers: names in lower case.
        plan: the faults that apply to this call.
        model: what the handler found in the request; kept for the journal.
    """

    provider: str
    method: str
    path: str
    query: bytes
    headers: dict[bytes, bytes]
    body: bytes
    plan: Plan
    state: State
    serial: int
    time_s: int
    model: str | None = None
    stream: bool = False
    _digest: str = field(default="", repr=False)

    @property
    def digest(self) -> str:
        """A short hash of the request's body."""
        if not self._digest:
            self._digest = blake2b(self.body, digest_size=12).hexdigest()
        return self._digest

    def make_id(self, prefix: str) -> str:
        """Make an id from the request and the number of calls before it."""
        return f"{prefix}{self.digest}{self.serial:06x}"

    def decode(self, decoder: "msgspec.json.Decoder[_T]") -> _T:
        """Read the JSON body.

        Raises:
            Refused: 400, when the body is no JSON or a field has the wrong type.
        """
        try:
            return decoder.decode(self.body)
        except msgspec.ValidationError as fault:
            raise Refused(400, str(fault), param=field_of(str(fault))) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Refused(
                400, "We could not parse the JSON body of your request.", code="invalid_json"
            ) from None


def field_of(message: str) -> str | None:
    """Find the field that a validation message names, written `messages[0].role`."""
    _, _, path = message.partition(" - at `$")
    path = path.rstrip("`").replace("[...]", "[]").lstrip(".")
    _, _, name = message.partition(" field `")
    return ".".join(filter(None, (path, name.split("`")[0]))) or None


def to_json(value: object, status: int = 200, headers: Headers = ()) -> Whole:
    """Answer with a value as JSON."""
    return Whole(_encode(value), status, (JSON_TYPE, *headers))


Handler = Callable[[Call], Reply]


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider's wire protocol.

    Attributes:
        name: its name in faults and journal, and its path prefix.
        route: finds the handler of a method and path, or None.
        refuse: writes a refusal in the provider's own shape.
        authorised: tells whether a request carries a key where the provider wants one.
        key_missing: the refusal of a request without a key.
    """

    name: str
    route: Callable[[str, str], Handler | None]
    refuse: Callable[[Refused], Whole]
    authorised: Callable[[Call], bool]
    key_missing: Refused


def bearer(call: Call) -> bool:
    """Tell whether an `Authorization: Bearer` header carries a key."""
    scheme, _, key = call.headers.get(b"authorization", b"").partition(b" ")
    return scheme.lower() == b"bearer" and bool(key.strip())
