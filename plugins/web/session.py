"""A browser's session: who signed in with which key, and until when; kept by the browser alone.

The cookie names the key, never holds it. Whether the key is still good is asked anew with every
request, so that a revoked key ends its sessions within seconds.
"""

import base64
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

COOKIE: Final = "sluice_session"
LIFETIME: Final = timedelta(hours=12)
_SEPARATOR: Final = "."


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in.

    Args:
        key_id: of the key that was signed in with.
        ends_at: UTC.
        form_token: what a form of this session must send back; another site cannot know it.
    """

    key_id: str
    ends_at: datetime
    form_token: str


class Sessions:
    """Makes and reads session cookies.

    Args:
        secret: the installation's.
    """

    def __init__(self, secret: str) -> None:
        self._key: Final = hmac.digest(secret.encode(), b"sluice console sessions v1", "sha256")

    def begin(self, key_id: str, now: datetime) -> str:
        """Make the cookie's value for who has just signed in."""
        ends_s = int((now + LIFETIME).timestamp())
        stated = f"{key_id}{_SEPARATOR}{ends_s}"
        return f"{stated}{_SEPARATOR}{self._sign(stated)}"

    def read(self, cookie: str, now: datetime) -> Session | None:
        """Read a cookie; None when it is not ours, or over."""
        stated, _, signature = cookie.rpartition(_SEPARATOR)
        # As bytes: `compare_digest` takes no other text than ASCII.
        if not hmac.compare_digest(signature.encode(), self._sign(stated).encode()):
            return None
        key_id, _, ends = stated.partition(_SEPARATOR)
        ends_at = datetime.fromtimestamp(int(ends), now.tzinfo)
        if ends_at <= now:
            return None
        return Session(key_id, ends_at, self._sign(f"form {stated}"))

    def _sign(self, text: str) -> str:
        digest = hmac.digest(self._key, text.encode("utf-8", "replace"), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def is_form_of(session: Session, token: str) -> bool:
    """Tell whether a form was made for this session."""
    return hmac.compare_digest(session.form_token.encode(), token.encode("utf-8", "replace"))
