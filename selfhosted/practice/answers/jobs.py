"""Job description enrichment: a job advertisement to JSON, only fields with data."""

import re

from selfhosted.practice.answers import documents, skills
from selfhosted.practice.prompt import Json, Prompt

_BULLET = re.compile(r"^\s*[-•*·]\s*(.+)$")
_SENIORITY = {
    "intern": r"\bintern(?:ship)?\b|working student",
    "junior": r"\bjunior\b|entry.level|graduate",
    "lead": r"\blead\b|\bprincipal\b|\bstaff\b",
    "senior": r"\bsenior\b|\bsr\.",
    "executive": r"\bdirector\b|\bhead of\b|\bvp\b|\bchief\b",
}
_EMPLOYMENT = {
    "full-time": r"full.?time",
    "part-time": r"part.?time",
    "contract": r"\bcontract(?:or)?\b|freelance",
    "internship": r"\binternship\b",
}
_WORKPLACE = {"remote": r"\bremote\b", "hybrid": r"\bhybrid\b", "on-site": r"on.?site"}
_DEGREES = {
    "doctorate": r"ph\.?d|doctorate",
    "master": r"master'?s|m\.?sc",
    "bachelor": r"bachelor|b\.?sc|degree",
}
_YEARS = re.compile(r"(\d{1,2})\s*\+?\s*(?:-|to|\u2013)?\s*\d{0,2}\s*\+?\s*years?", re.I)
_PAY = re.compile(
    r"([$€£])\s?(\d[\d,.]*)(k?)(?:\s*(?:-|\u2013|to)\s*[$€£]?\s?(\d[\d,.]*)(k?))?", re.I
)
_CURRENCY = {"$": "USD", "€": "EUR", "£": "GBP"}
_NICE = re.compile(r"nice.to.have|bonus|preferred|is a plus|desirable|optional", re.I)
_DUTIES = re.compile(r"responsibilit|what you.ll do|your (?:tasks|role)|duties|you will", re.I)
_NEEDS = re.compile(
    r"requirement|qualification|what you.ll need|must.have|we expect|you have|you bring", re.I
)


def answer(prompt: Prompt) -> Json:
    """Enrich the job description in the last user message."""
    text = documents.find(prompt.last_user, "job", "jd", "description", "posting")
    return enrich(text or prompt.last_user)


def enrich(text: str) -> Json:
    """Read a job advertisement.

    Returns:
        Title, seniority, employment, workplace, years, degree, salary, duties, requirements and
        skills, each only when the text says so.
    """
    duties, needs, nice = _lists(text)
    wanted = {"must_have": needs, "nice_to_have": nice}
    known = {
        "technical": skills.technical(text),
        "soft": skills.soft(text),
        "languages": skills.spoken(text),
    }
    found: Json = {
        "title": title(text),
        "seniority": _first(_SENIORITY, text),
        "employment_type": _first(_EMPLOYMENT, text),
        "workplace": _first(_WORKPLACE, text),
        "location": _labelled(text, "location"),
        "years_experience_min": years(text),
        "education_level": _first(_DEGREES, text),
        "salary": _salary(text),
        "responsibilities": duties,
        "requirements": {key: value for key, value in wanted.items() if value},
        "skills": {key: value for key, value in known.items() if value},
    }
    return {key: value for key, value in found.items() if value}


def title(text: str) -> str | None:
    """Return the job's title: what its label says, or the first short line."""
    named = _labelled(text, r"(?:job )?title|position|role")
    lines = [line.strip(" #*\t") for line in text.splitlines() if line.strip(" #*\t")]
    short = lines[0] if lines and len(lines[0]) <= 80 and not lines[0].endswith(".") else None
    wanted = re.search(r"(?:looking for|hiring|seeking) (?:an? )?([\w /+#-]{3,60})", text, re.I)
    return named or short or (wanted[1].strip() if wanted else None)


def years(text: str) -> int | None:
    """Return the years of experience that a text asks for or claims, the largest number."""
    found = [int(n) for n in _YEARS.findall(text) if int(n) <= 40]
    return max(found) if found else None


def _labelled(text: str, label: str) -> str | None:
    found = re.search(rf"^\W*(?:{label})\s*:\s*(.+)$", text, re.I | re.M)
    return found[1].strip() if found else None


def _first(table: dict[str, str], text: str) -> str | None:
    return next((name for name, rule in table.items() if re.search(rule, text, re.I)), None)


def _salary(text: str) -> Json | None:
    found = _PAY.search(text)
    if found is None:
        return None
    low, high = _amount(found[2], found[3]), _amount(found[4], found[5] or found[3])
    return {"currency": _CURRENCY[found[1]], "min": low, "max": high or low}


def _amount(digits: str | None, thousands: str | None) -> int:
    plain = re.sub(r"\D", "", digits or "") or "0"
    return int(plain) * (1000 if thousands else 1)


def _lists(text: str) -> tuple[list[str], list[str], list[str]]:
    """Sort bullets under the heading above them: duties, requirements, nice to have."""
    duties: list[str] = []
    needs: list[str] = []
    nice: list[str] = []
    current = needs
    for line in text.splitlines():
        bullet = _BULLET.match(line)
        if bullet is not None:
            (nice if _NICE.search(line) else current).append(bullet[1].strip())
        elif _NICE.search(line):
            current = nice
        elif _DUTIES.search(line):
            current = duties
        elif _NEEDS.search(line):
            current = needs
    return duties, needs, nice
