"""`multipart/form-data` bodies, as the audio routes get them."""

from dataclasses import dataclass

from selfhosted.practice.wire import Call, Refused


@dataclass(frozen=True, slots=True)
class Field:
    """One part of a form; `filename` is None for a plain field."""

    content: bytes
    filename: str | None

    @property
    def text(self) -> str:
        """The content as text."""
        return self.content.decode(errors="replace")


def read_form(call: Call) -> dict[str, list[Field]]:
    """Read the fields of a form.

    Raises:
        Refused: 400, when the body is no form.
    """
    kind, _, rest = call.headers.get(b"content-type", b"").partition(b";")
    boundary = _parameter(rest, b"boundary")
    if kind.strip().lower() != b"multipart/form-data" or not boundary:
        raise Refused(400, "The request must be multipart/form-data with a boundary.")
    fields: dict[str, list[Field]] = {}
    for part in (b"\r\n" + call.body).split(b"\r\n--" + boundary)[1:]:
        if part.startswith(b"--"):
            return fields
        head, _, content = part.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-disposition:"):
                name = _parameter(line, b"name").decode(errors="replace")
                filename = _parameter(line, b"filename").decode(errors="replace") or None
                fields.setdefault(name, []).append(Field(content, filename))
    raise Refused(400, "The form ends before its last boundary.")


def _parameter(header: bytes, wanted: bytes) -> bytes:
    for item in header.split(b";"):
        name, _, value = item.strip().partition(b"=")
        if name.lower() == wanted:
            return value.strip(b'"')
    return b""
