"""One fault in a body, and how it becomes the sentence a client reads."""

import re
from dataclasses import dataclass, replace
from typing import Final

from plugins.core.errors import InvalidRequest

_SHOWABLE: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong and where.

    Args:
        code: stable code of the refusal.
        path: where, as `.messages[0].content`; empty for the body itself.
        after: the sentence after the path.
        before: the sentence before the path.
    """

    code: str
    path: str
    after: str
    before: str = ""

    def under(self, path: str) -> "Fault":
        """Give the same fault, seen from further out."""
        return replace(self, path=path + self.path)

    def to_error(self) -> InvalidRequest:
        """Give the refusal that the client is sent."""
        param = self.path.removeprefix(".") or None
        where = f"`{param}`" if param else "The body"
        message = f"{self.before}{where}{self.after}"
        return InvalidRequest(message, code=self.code, param=param)


class FaultError(ValueError):
    """Raised by a field's own check; msgspec adds the path.

    Args:
        fault: what is wrong, its path relative to the field.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.code)
        self.fault: Final = fault


class FieldError(FaultError):
    """A fault given by its parts.

    Args:
        code: stable code of the refusal.
        after: the sentence after the path.
        path: below the field at fault, as `.tags`.
    """

    def __init__(self, code: str, after: str, *, path: str = "") -> None:
        super().__init__(Fault(code, path, after))


def shown(text: str) -> str | None:
    """Give a client's word back for a message, or None where it could be prompt text."""
    return text if _SHOWABLE.fullmatch(text) else None
