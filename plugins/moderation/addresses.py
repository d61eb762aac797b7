"""Where a word is part of an address: of mail, of the web, of a person at a service, of a file.

What stands there is a name, whatever it reads like: `dick.cockburn@example.com` is an applicant's
own (SPEC 10.5).
"""

import re
from typing import Final

_REACH: Final = 256
"""Characters on either side within which an address must begin and end."""

_BEFORE: Final = re.compile(r"[^\s<>\"(){}\[\],;|]*")
_AFTER: Final = _BEFORE
_OPENING: Final = "'*_"
_CLOSING: Final = ".:!?'*_"
_HOST: Final = r"(?:[\w\-]{1,63}\.){1,8}"
_ENDINGS: Final = (
    r"pdf|docx?|odt|rtf|txt|md|pages|xlsx?|ods|csv|pptx?|odp|key|jpe?g|png|gif|svg|heic|webp|zip|7z|"
    r"html?|json|xml|ya?ml|mp[34]|m4a|wav|mov|webm|eml|vcf|ics|py|js|ts|java|go|rs|sql|ipynb"
)
_ADDRESS: Final = re.compile(
    # Mail. A country's two letters alone make no address of the web: "it was shit.So I left".
    rf"(?:mailto:)?[\w.+%'\-]{{1,64}}@{_HOST}[a-z]{{2,24}}|"
    r"(?:[a-z][a-z0-9+.\-]{1,15}://|www\.)\S+|"
    rf"{_HOST}(?:com|org|net|dev|io|edu|gov)|"
    rf"{_HOST}(?:com|org|net|dev|io|edu|gov|info|app|page|site|blog|tech|[a-z]{{2}})/\S+|"
    r"/?in/[\w%.\-]+/?|"
    r"@\w[\w.\-]{1,62}|"
    rf"(?:[\w.\-+%~:\\/]{{1,255}})\.(?:{_ENDINGS})",
    re.IGNORECASE,
)
_USUAL_HOST: Final = re.compile(
    rf"{_HOST}(?:com|org|net|edu|gov|info|io|dev|[a-z]{{2}})(?![\w\-]|\.\w)"
)
_BRACKETED_AT: Final = re.compile(
    r"[\w.+%\-]{0,64}\s{0,2}[\[({<]\s?at\s?[\])}>]\s{0,2}[\w\-]{1,63}", re.IGNORECASE
)


def in_address(text: str, start: int, end: int) -> bool:
    """Tell whether a place lies inside an e-mail address, a URL, a handle or a file's name.

    Args:
        text: the whole.
        start: the place's first character; where it is the handle's own at sign, as in `@ss`, the
            sign may stand for a letter, and it is no handle.
        end: one past its last.

    Returns:
        Also True for an address whose at sign is spelled in brackets. Time is bounded.
    """
    before = _BEFORE.match(text[max(0, start - _REACH) : start][::-1])
    after = _AFTER.match(text, end, end + _REACH)
    begins = start - (before.end() if before else 0)
    ends = after.end() if after else end
    around = text[begins:ends].rstrip(_CLOSING)
    opening = len(around) - len(around.lstrip(_OPENING))
    if _ADDRESS.fullmatch(around, opening) is None or start == begins + around.find("@", opening):
        return _BRACKETED_AT.match(text, end) is not None
    at = text.find("@", start, end)
    return at < 0 or is_mail_sign(text, at)


def is_mail_sign(text: str, place: int) -> bool:
    """Tell whether an at sign between letters is one of mail, and no letter as in `f@t`.

    Args:
        text: the whole.
        place: of the sign.

    Returns:
        True where a host of a usual form follows; "you f@t.Then I left" has none.
    """
    return _USUAL_HOST.match(text, place + 1) is not None
