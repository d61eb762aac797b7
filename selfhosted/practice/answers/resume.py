"""Resume parsing: an ordinary plain-text resume to JSON, only fields with data."""

import re
from collections.abc import Iterator

from selfhosted.practice.answers import documents, experience, skills
from selfhosted.practice.answers.dates import single, span
from selfhosted.practice.prompt import Json, Prompt

_HEADINGS = {
    "experience": "experience|work experience|professional experience|relevant experience"
    "|employment|employment history|work history|career history|professional background",
    "education": "education|academic background|education and training|academic qualifications",
    "skills": "skills|technical skills|core skills|key skills|technologies|skills and tools"
    "|core competencies|competencies|tools|technical proficiencies|skills summary",
    "soft": "soft skills|interpersonal skills|personal skills",
    "languages": "languages|spoken languages|language skills",
    "other": "summary|profile|objective|about|about me|professional summary|projects|references"
    "|certifications|certificates|interests|publications|awards|volunteering|hobbies"
    "|personal projects|career objective|executive summary",
}
_SECTION = {name: key for key, names in _HEADINGS.items() for name in names.split("|")}
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w/])\+?\(?\d[\d\s().-]{7,17}\d(?!\w)")
_LINKEDIN = re.compile(r"(?:https?://)?(?:www\.)?linkedin\.com/(?:in|pub)/[\w%-]+", re.I)
_GITHUB = re.compile(r"(?:https?://)?(?:www\.)?github\.com/[\w-]+", re.I)
_NAME = re.compile(r"[^\W\d_][\w.'\u2019-]*(?: [^\W\d_][\w.'\u2019-]*){1,4}")
_PLACE = re.compile(
    r"[^\W\d_][\w .'\u2019-]{1,40}, ?[^\W\d_][\w .'\u2019-]{1,40}(?:, ?[\w .'\u2019-]{2,30})?"
)
_TOWN = re.compile(r"([^\W\d_][\w .'-]+, [A-Z]{2})\s+\d{5}\b")
_LABELLED = re.compile(
    r"^\W*(?:full )?(name|location|address|based in)\s*[:-]\s*(.+)$", re.I | re.M
)
_DEGREE = re.compile(
    r"\b(?:bachelor|master|doctor|diploma|degree|associate|certificate"
    r"|ph\.? ?d|mba|b\.? ?sc|m\.? ?sc"
    r"|b\.? ?a|m\.? ?a|b\.? ?s|m\.? ?s|b\.e|b\.? ?eng"
    r"|m\.? ?eng|b\.? ?tech|m\.? ?tech|high school|abitur"
    r"|llb|llm)\b\.?",
    re.IGNORECASE,
)
_SCHOOL = re.compile(
    r"university|college|school|institute|escuela|academy|polytechnic|hochschule", re.I
)


def answer(prompt: Prompt) -> Json:
    """Parse the resume in the last user message."""
    text = documents.find(prompt.last_user, "resume", "cv") or prompt.last_user
    return parse(text)


def looks_like(text: str) -> bool:
    """Tell whether a text by itself is a resume: contact data and two usual headings."""
    if not _EMAIL.search(text) and not _PHONE.search(text):
        return False
    found = {heading(line)[0] for line in text.splitlines() if len(line) < 200}
    return len(found & {"experience", "education", "skills"}) >= 2


def parse(text: str) -> Json:
    """Parse a resume.

    Args:
        text: plain text with the usual headings.

    Returns:
        `personal`, `experience`, `education` and `skills`, each only with data.
    """
    parts = sections(text)
    listed = "\n".join(parts.get(key, "") for key in ("skills", "soft"))
    found = {
        "personal": personal(text, parts["head"]),
        "experience": experience.entries(parts.get("experience", "")),
        "education": education(parts.get("education", "")),
        "skills": split_skills(listed, parts.get("languages", "")) or _mentioned(text),
    }
    return {key: value for key, value in found.items() if value}


def heading(line: str) -> tuple[str | None, str]:
    """Return the section that a line opens, and what follows on the same line."""
    plain = line.strip().strip("#*=_-~: \t")
    name, colon, rest = plain.partition(":")
    key = _SECTION.get(re.sub(r"\s*&\s*", " and ", name.strip("* ").lower()))
    if key is None or (rest and not colon):
        return None, ""
    return key, rest.strip()


def sections(text: str) -> dict[str, str]:
    """Split a resume at its headings; what comes before the first is `head`."""
    parts: dict[str, list[str]] = {"head": []}
    current = "head"
    for line in text.splitlines():
        key, rest = heading(line)
        # Within a skills section, "Tools: Docker" and "Languages: Go" are rows, not sections.
        row = key in ("skills", "languages") and current == "skills" and bool(rest)
        if key is None or row:
            parts[current].append(line)
            continue
        current = key
        parts.setdefault(current, []).append(rest)
    return {key: "\n".join(lines) for key, lines in parts.items()}


def personal(text: str, head: str) -> Json:
    """Find who the resume is about and how to reach them."""
    labelled = {m[1].lower(): m[2].strip() for m in _LABELLED.finditer(text)}
    head = head or text[:400]
    pieces = [
        p.strip(" *#\t") for p in re.split(r"[\n|•·\t]|\s[\u2013—-]\s", head) if p.strip(" *#")
    ]
    place = labelled.get("location") or labelled.get("address") or labelled.get("based in")
    name = labelled.get("name") or _first_name(pieces)
    found = {
        "full_name": name,
        "email": _first(_EMAIL, text),
        "phone": _first(_PHONE, _EMAIL.sub(" ", head)) or _labelled_phone(text),
        "location": place or _location(pieces, name),
        "linkedin": _first(_LINKEDIN, text),
        "github": _first(_GITHUB, text),
    }
    return {key: value for key, value in found.items() if value}


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[0].strip() if found else None


def _location(pieces: list[str], name: str | None) -> str | None:
    for piece in pieces:
        town = _TOWN.search(piece)
        if town is not None:
            return town[1]
        if _PLACE.fullmatch(piece) and not piece.lower().startswith((name or "\0").lower()):
            return piece
    return None


def _labelled_phone(text: str) -> str | None:
    found = re.search(
        r"(?:phone|tel|mobile|cell)\w*\.?\W{1,3}([+(\d][\d\s().-]{7,18}\d)", text, re.I
    )
    return found[1] if found else None


def _first_name(pieces: list[str]) -> str | None:
    for piece in pieces:
        name = piece.split(",")[0].strip()
        title = re.fullmatch(r"(?:resume|curriculum vitae|cv)(?: of| for)?(.*)", name, re.I)
        name = title[1].strip(" :-") if title else name
        if _NAME.fullmatch(name) and not experience.TITLE.search(name) and name[0].isupper():
            return name.title() if name.isupper() else name
    return None


def education(text: str) -> list[Json]:
    """Find degrees, schools and their dates."""
    made: list[Json] = []
    for line in text.splitlines():
        degree, school = _DEGREE.search(line), _SCHOOL.search(line)
        if not line.strip() or not (degree or school or span(line) or single(line)):
            continue
        entry = _education_line(line)
        if made and not set(made[-1]) & set(entry):
            made[-1] |= entry
        else:
            made.append(entry)
    return made


def _education_line(line: str) -> Json:
    entry: Json = {}
    dates, one = span(line), single(line)
    if dates is not None:
        entry |= {"start_date": dates.start, "end_date": dates.end}
        line = dates.rest
    elif one is not None:
        entry["end_date"] = one
        line = re.sub(r"\(?\b(?:\w+ )?(?:19|20)\d\d(?:-\d\d)?\b\)?", " ", line)
    split = re.split(r",\s|\s[\u2013—|-]+\s|;|\||\bat\b|\bfrom\b|\s{3,}", line)
    parts = [part.strip(" -•*,()\t") for part in split]
    named = any(map(_SCHOOL.search, parts))
    for part in parts:
        if _SCHOOL.search(part) and not re.search("high school dip", part, re.I):
            entry.setdefault("institution", part)
        elif _DEGREE.search(part):
            entry.setdefault("degree", part)
        elif part[:1].isupper() and "degree" in entry and not named:
            entry.setdefault("institution", part)
    return entry


def split_skills(text: str, languages: str = "") -> Json:
    """Sort listed skills into technical, soft and languages.

    Args:
        text: the lists of skills.
        languages: a list of languages; what is no known technology there is spoken.
    """
    sorted_: dict[str, list[str]] = {"technical": [], "soft": [], "languages": []}
    for name in _items(text):
        sorted_[skills.kind_of(name)].append(name)
    for name in _items(languages):
        sorted_["technical" if name in skills.TECHNICAL else "languages"].append(name)
    return {key: skills.unique(names) for key, names in sorted_.items() if names}


def _items(text: str) -> Iterator[str]:
    for line in text.splitlines():
        row = re.sub(r"^[^,;]{2,30}?:\s+", "", line.strip().lstrip("-•*· "))
        for item in re.split(r"[,;|•·]|\band\b|\s-\s", re.sub(r"\([^)]*\)", " ", row)):
            name = item.strip(" .*\t")
            if 0 < len(name) <= 40:
                yield name


def _mentioned(text: str) -> Json:
    found = {"technical": skills.technical(text), "soft": skills.soft(text)}
    return {key: names for key, names in found.items() if names}
