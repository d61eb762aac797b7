"""Renders the console's pages, with the headers that keep a browser from doing anything else."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from plugins.core.errors import NotFound

CONSOLE: Final = "/sluice/console"
SIGN_IN: Final = f"{CONSOLE}/sign-in"
_FOLDER: Final = Path(__file__).parent
_TYPES: Final = {
    "htmx.min.js": "text/javascript; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "console.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


def _age(moment: datetime, now: datetime | None = None) -> str:
    """Say a moment as people do: `in 5 min`, `2 h ago`."""
    away = moment - (now or datetime.now(UTC))
    words = _span(abs(away))
    return f"in {words}" if away > timedelta() else f"{words} ago"


def _apart(moment: datetime, now: datetime | None = None) -> str:
    """Say how far away a moment is, in either direction."""
    return _span(abs(moment - (now or datetime.now(UTC))))


def _clock(moment: datetime) -> str:
    """Say a moment in full, in UTC."""
    return f"{moment.astimezone(UTC):%-d %b %Y, %H:%M} UTC"


def _span(length: timedelta) -> str:
    minutes = int(length.total_seconds() // 60)
    for unit, size in (("d", 1440), ("h", 60)):
        if minutes >= 2 * size:
            return f"{minutes // size} {unit}"
    return f"{minutes} min" if minutes else "less than a minute"


class Pages:
    """Renders templates.

    Args:
        folders: where templates are, besides the shared ones.
    """

    def __init__(self, *folders: Path) -> None:
        self._environment: Final = Environment(
            loader=FileSystemLoader([*folders, _FOLDER / "templates"]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(age=_age, apart=_apart, clock=_clock)
        self._environment.globals["version"] = _version()  # pyright: ignore[reportArgumentType]

    def know(self, **words: Callable[..., object]) -> None:
        """Let templates call functions by these names."""
        self._environment.globals.update(words)  # pyright: ignore[reportArgumentType, reportCallIssue]

    def page(self, template: str, status: int = 200, **context: Any) -> HTMLResponse:
        """Render one page.

        Args:
            template: its file.
            status: of the answer.
            context: what the template shows; `session`, `who` and `whose` are for the layout.
        """
        body = self._environment.get_template(template).render(
            {"session": None, "who": None, "whose": None, **context}
        )
        return HTMLResponse(body, status, HEADERS)


def seen_elsewhere(path: str) -> RedirectResponse:
    """Send the browser on after a form, so that reloading does not send it again."""
    return RedirectResponse(path, 303, HEADERS)


def static_file(name: str) -> Response:
    """Give one of the console's own files.

    Raises:
        NotFound: for any other name.
    """
    kind = _TYPES.get(name)
    if kind is None:
        raise NotFound(f"the console has no file {name[:64]!r}")
    headers = {**HEADERS, "cache-control": "public, max-age=31536000, immutable"}
    return Response((_FOLDER / "static" / name).read_bytes(), 200, headers, kind)


def _version() -> str:
    """Give a word that changes with any of the files, so that browsers keep them until then."""
    digest = hashlib.sha256()
    for name in sorted(_TYPES):
        digest.update((_FOLDER / "static" / name).read_bytes())
    return digest.hexdigest()[:12]
