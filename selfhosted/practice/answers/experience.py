"""Jobs in a resume's experience section: each range of dates is one."""

import re
from dataclasses import dataclass

from selfhosted.practice.answers import skills
from selfhosted.practice.answers.dates import Span, span
from selfhosted.practice.prompt import Json

TITLE = re.compile(
    r"\b(?:engineer|developer|programmer|manager|analyst|designer|director|lead|consultant|intern"
    r"|nurse|teacher|accountant|specialist|administrator|assistant|coordinator|scientist|architect"
    r"|officer|representative|recruiter|head of|vp|vice president|chief|cto|ceo|cfo|technician"
    r"|clerk|executive|driver|chef|cook|cashier|associate|supervisor|researcher|editor|writer"
    r"|marketer|strategist|trainer|tutor|professor|lecturer|mechanic|electrician|operator|agent"
    r"|founder|owner|freelancer?|contractor|tester|buyer|planner|bookkeeper|receptionist|barista"
    r"|pharmacist|physician|therapist|lawyer|paralegal|auditor|partner|principal|product owner"
    r"|scrum master|trainee|apprentice|secretary|salesperson|sales)\b",
    re.IGNORECASE,
)
_BULLET = re.compile(r"^\s*(?:[-•*·▪◦o]\s+|\d+[.)]\s+)")
_SUFFIX = re.compile(r",\s+(?=(?:inc|llc|ltd|gmbh|corp|co|plc|s\.a)\b)", re.IGNORECASE)
_LABEL = re.compile(
    r"^\W*(?:company|employer|organi[sz]ation|position|job title|title|role|period|dates?"
    r"|duration|description)\s*:\s*",
    re.IGNORECASE,
)
_ENDS = re.compile(r"\b(?:inc|llc|ltd|corp|co|plc|jr|sr)\.$", re.IGNORECASE)
_SPLIT = re.compile(r"\s+(?:at|@)\s+|\s*[|•·\t]\s*|\s+[\u2013—-]+\s+|,\s+|\s{3,}")


@dataclass(frozen=True, slots=True)
class _Job:
    """Where a job stands among the lines: its head's first line and its body."""

    first: int
    body: int
    head: list[str]
    dates: Span


def entries(text: str) -> list[Json]:
    """Return the jobs of a section, in the order of the text."""
    lines = [line.rstrip() for line in text.splitlines()]
    jobs: list[_Job] = []
    for at, line in enumerate(lines):
        dates = None if _BULLET.match(line) and jobs else span(line)
        if dates is not None:
            jobs.append(_job(lines, at, dates, jobs[-1].body if jobs else 0))
    ends = [*(job.first for job in jobs[1:]), len(lines)]
    return [_entry(job, lines[job.body : end]) for job, end in zip(jobs, ends, strict=False)]


def _job(lines: list[str], at: int, dates: Span, floor: int) -> _Job:
    """Collect the lines that name a job: the line of its dates, else those around it."""
    head = _parts(dates.rest)
    first, body = at, at + 1
    while _lacks_name(head) and first > max(floor, at - 2) and _is_head(lines[first - 1]):
        first -= 1
        head = _parts(lines[first]) + head
    while len(head) < 2 and body < min(len(lines), at + 3) and _is_head(lines[body]):
        head += _parts(lines[body])
        body += 1
    return _Job(first, body, head, dates)


def _lacks_name(head: list[str]) -> bool:
    return len(head) < 2 or not any(map(TITLE.search, head))


def _is_head(line: str) -> bool:
    text = line.strip()
    sentence = text.endswith((".", ";")) and not _ENDS.search(text)
    plain = not _BULLET.match(line) and not sentence and span(line) is None
    return 0 < len(text) <= 90 and plain


def _parts(line: str) -> list[str]:
    line = _SUFFIX.sub("\0", _LABEL.sub("", _BULLET.sub("", line)))
    parts = [part.replace("\0", ", ").strip(" ,;:()*#|-\u2013—\t") for part in _SPLIT.split(line)]
    return [part for part in parts if part]


def _entry(job: _Job, body: list[str]) -> Json:
    title = next((p for p in job.head if TITLE.search(p)), job.head[0] if job.head else None)
    company = next((p for p in job.head if p != title), None)
    said = " ".join(_LABEL.sub("", _BULLET.sub("", line)).strip() for line in body if line.strip())
    found = {
        "title": title,
        "company": company,
        "start_date": job.dates.start,
        "description": said,
        "technologies": skills.technical(said),
    }
    entry: Json = {key: value for key, value in found.items() if value}
    return entry | {"end_date": job.dates.end, "current": job.dates.end is None}
