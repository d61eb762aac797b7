"""Documents inside a prompt: between tags, or under a label at the start of a line."""

import re
from html import unescape

_TAG = re.compile(r"<([A-Za-z][\w-]*)([^<>]*)>(.*?)</\1\s*>", re.DOTALL)
_LABELS = (
    "resume text|resume|cv|job requirements|job description|job posting|job|candidate profile"
    "|candidate|match score|score|transcript|conversation|assessment"
)
_LABEL = re.compile(
    rf"^\W*(?:the\s+)?({_LABELS})\s*(?:\([^)\n]*\))?:", re.IGNORECASE | re.MULTILINE
)


def find(text: str, *names: str) -> str | None:
    """Return the first document whose tag, attributes or label holds one of the names."""
    for tag, attributes, body in _TAG.findall(text):
        if _named(tag + attributes, names):
            return unescape(body).strip()
    labels = list(_LABEL.finditer(text))
    for at, label in enumerate(labels):
        if _named(label[1], names):
            end = labels[at + 1].start() if at + 1 < len(labels) else len(text)
            return text[label.end() : end].strip() or None
    return None


def _named(label: str, names: tuple[str, ...]) -> bool:
    plain = re.sub(r"[\W_]+", " ", label.lower())
    return any(re.search(rf"\b{name}", plain) for name in names)


def without(text: str) -> str:
    """Return a prompt's own words: the text without what stands between tags."""
    return _TAG.sub(r" \1 ", text)


def number_after(text: str, label: str) -> float | None:
    """Return the number that follows a label such as `score`, or stands in its document."""
    document = find(text, label)
    found = re.search(r"\d+(?:\.\d+)?", document) if document else None
    found = found or re.search(rf"\b{label}\b\W{{0,8}}(?:is|of)?\W*(\d+(?:\.\d+)?)", text, re.I)
    return float(found[found.re.groups]) if found else None
