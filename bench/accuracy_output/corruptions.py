"""What may be wrong in an extraction or an explanation, put in one at a time. Seeded."""

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from random import Random
from typing import Any, Final

from bench.accuracy_output import resumes
from bench.accuracy_output.resumes import Resume

Corruption = Callable[[Resume, dict[str, Any], Random], str | None]
"""Changes the extraction in place; gives the path that is wrong now, or None where it cannot be."""


def corrupted(kind: str, made: Resume, rng: Random) -> tuple[dict[str, Any], str] | None:
    """Give an extraction with one fault, and the path of it.

    Args:
        kind: of `CORRUPTIONS`.
        made: the resume.
        rng: decides what is put wrong.

    Returns:
        None where this resume has nothing that could be put wrong like this.
    """
    changed = deepcopy(made.truth)
    path = CORRUPTIONS[kind](made, changed, rng)
    return None if path is None else (changed, path)


def absent(made: Resume, pool: Sequence[str], rng: Random) -> str:
    """Choose a value of which no word stands in the resume."""
    text = made.text.lower()
    words = [(value, re.findall(r"\w+", value.lower())) for value in pool]
    fit = [value for value, parts in words if not any(part in text for part in parts)]
    return rng.choice(fit or [value for value in pool if value.lower() not in text])


def _name(made: Resume, changed: dict[str, Any], rng: Random) -> str:
    first, _, last = changed["personal"]["full_name"].partition(" ")
    if rng.random() < 0.5:
        first = absent(made, resumes.FIRST, rng)
    else:
        last = absent(made, resumes.LAST, rng)
    changed["personal"]["full_name"] = f"{first} {last}"
    return "personal.full_name"


def _email(_: Resume, changed: dict[str, Any], rng: Random) -> str:
    local, _, host = changed["personal"]["email"].partition("@")
    at = rng.randrange(len(local))
    letter = rng.choice([c for c in "abcdefghijklmnopqrstuvwxyz" if c != local[at]])
    changed["personal"]["email"] = f"{local[:at]}{letter}{local[at + 1 :]}@{host}"
    return "personal.email"


def _phone(_: Resume, changed: dict[str, Any], rng: Random) -> str:
    phone = changed["personal"]["phone"]
    at = rng.choice([i for i, c in enumerate(phone) if c.isdigit() and i > 3])
    digit = rng.choice([c for c in "0123456789" if c != phone[at]])
    changed["personal"]["phone"] = phone[:at] + digit + phone[at + 1 :]
    return "personal.phone"


def _location(made: Resume, changed: dict[str, Any], rng: Random) -> str:
    changed["personal"]["location"] = absent(made, resumes.CITIES, rng)
    return "personal.location"


def _of_job(field: str, pool: Sequence[str]) -> Corruption:
    def change(made: Resume, changed: dict[str, Any], rng: Random) -> str:
        at = rng.randrange(len(changed["experience"]))
        changed["experience"][at][field] = absent(made, pool, rng)
        return f"experience[{at}].{field}"

    return change


def _title_of_other_job(_: Resume, changed: dict[str, Any], rng: Random) -> str | None:
    """Raise a title: the word is there, the rank is not."""
    at = rng.randrange(len(changed["experience"]))
    job = changed["experience"][at]
    if "Senior" in job["title"] or "Manager" in job["title"]:
        return None
    job["title"] = rng.choice(("Lead ", "Principal ", "Head ")) + job["title"]
    return f"experience[{at}].title"


def _degree_level(_: Resume, changed: dict[str, Any], rng: Random) -> str:
    at = rng.randrange(len(changed["education"]))
    entry = changed["education"][at]
    levels = [spelled for _, spelled in resumes.DEGREES]
    now = next(
        spelled for forms, spelled in resumes.DEGREES
        if entry["degree"].startswith((*(f"{f} " for f in forms), *(f"{f}," for f in forms),
                                       spelled))
    )  # fmt: skip
    subject = next(s for s in resumes.SUBJECTS if entry["degree"].endswith(s))
    entry["degree"] = f"{rng.choice([level for level in levels if level != now])} in {subject}"
    return f"education[{at}].degree"


def _degree_subject(made: Resume, changed: dict[str, Any], rng: Random) -> str:
    at = rng.randrange(len(changed["education"]))
    entry = changed["education"][at]
    subject = next(s for s in resumes.SUBJECTS if entry["degree"].endswith(s))
    entry["degree"] = entry["degree"].replace(subject, absent(made, resumes.SUBJECTS, rng))
    return f"education[{at}].degree"


def _school(made: Resume, changed: dict[str, Any], rng: Random) -> str:
    at = rng.randrange(len(changed["education"]))
    pool = [s for s in resumes.SCHOOLS if s not in made.text]
    changed["education"][at]["institution"] = rng.choice(pool)
    return f"education[{at}].institution"


def _skill_swapped(made: Resume, changed: dict[str, Any], rng: Random) -> str:
    skills = changed["skills"]["technical"]
    at = rng.randrange(len(skills))
    skills[at] = absent(made, resumes.SKILLS, rng)
    return f"skills.technical[{at}]"


def _skill_added(made: Resume, changed: dict[str, Any], rng: Random) -> str:
    skills = changed["skills"]["technical"]
    skills.append(absent(made, resumes.SKILLS, rng))
    return f"skills.technical[{len(skills) - 1}]"


def _language_added(made: Resume, changed: dict[str, Any], rng: Random) -> str:
    spoken = changed["skills"]["languages"]
    spoken.append(absent(made, resumes.LANGUAGES, rng))
    return f"skills.languages[{len(spoken) - 1}]"


def _dated(changed: dict[str, Any], rng: Random) -> tuple[str, dict[str, Any], str]:
    fields = [
        (f"experience[{at}].{field}", job, field)
        for at, job in enumerate(changed["experience"])
        for field in ("start_date", "end_date")
        if job[field]
    ]
    return rng.choice(fields)


def _year_shifted(_: Resume, changed: dict[str, Any], rng: Random) -> str:
    path, job, field = _dated(changed, rng)
    year = int(job[field][:4]) + rng.choice((-3, -2, -1, 1, 2, 3))
    job[field] = f"{year}{job[field][4:]}"
    return path


def _year_of_elsewhere(made: Resume, changed: dict[str, Any], rng: Random) -> str | None:
    """Put in a year that stands in the resume, with something else."""
    path, job, field = _dated(changed, rng)
    own = {str(job["start_date"])[:4], str(job["end_date"])[:4]}
    shown = set(re.findall(r"\b(?:19|20)\d\d\b", made.text)) - own
    if not shown:
        return None
    job[field] = rng.choice(sorted(shown)) + job[field][4:]
    return path


def _date_of_other_job(_: Resume, changed: dict[str, Any], rng: Random) -> str | None:
    """Exchange a date for the same one of another job."""
    path, job, field = _dated(changed, rng)
    others = [o[field] for o in changed["experience"] if o is not job and o[field]]
    others = [date for date in others if date != job[field]]
    if not others:
        return None
    job[field] = rng.choice(others)
    return path


def _month_shifted(made: Resume, changed: dict[str, Any], rng: Random) -> str | None:
    path, job, field = _dated(changed, rng)
    month = (int(job[field][5:7]) + rng.randint(1, 10)) % 12 + 1
    if re.search(rf"\b{job[field][:4]}\b(?!-\d\d)", made.text) and month in (1, 12):
        return None
    job[field] = f"{job[field][:4]}-{month:02}"
    return path


def _start_end_exchanged(_: Resume, changed: dict[str, Any], rng: Random) -> str | None:
    ended = [
        (at, job) for at, job in enumerate(changed["experience"])
        if job["end_date"] and job["end_date"] != job["start_date"]
    ]  # fmt: skip
    if not ended:
        return None
    at, job = rng.choice(ended)
    job["start_date"], job["end_date"] = job["end_date"], job["start_date"]
    return f"experience[{at}].start_date"


def _still_there(_: Resume, changed: dict[str, Any], rng: Random) -> str | None:
    ended = [(at, job) for at, job in enumerate(changed["experience"]) if job["end_date"]]
    if not ended:
        return None
    at, job = rng.choice(ended)
    job |= {"end_date": None, "current": True}
    return f"experience[{at}].current"


def _graduation_year(_: Resume, changed: dict[str, Any], rng: Random) -> str:
    at = rng.randrange(len(changed["education"]))
    entry = changed["education"][at]
    year = int(entry["end_date"][:4]) + rng.choice((-2, -1, 1, 2))
    entry["end_date"] = f"{year}{entry['end_date'][4:]}"
    return f"education[{at}].end_date"


def _number(made: Resume, changed: dict[str, Any], rng: Random) -> str | None:
    at = rng.randrange(len(changed["experience"]))
    job = changed["experience"][at]
    number = rng.choice(re.findall(r"\d+", job["description"]))
    other = next(n for n in iter(lambda: str(rng.randint(3, 400)), "") if n not in made.text)
    job["description"] = re.sub(rf"\b{number}\b", other, job["description"], count=1)
    return f"experience[{at}].description"


def _sentence(made: Resume, changed: dict[str, Any], rng: Random) -> str:
    at = rng.randrange(len(changed["experience"]))
    invented = rng.choice(
        ("Negotiated contracts with overseas suppliers", "Won the regional innovation award",
         "Migrated legacy mainframes to the cloud", "Wrote the compliance handbook",
         "Chaired the works council for several terms")
    )  # fmt: skip
    changed["experience"][at]["description"] += f" {invented}."
    return f"experience[{at}].description"


def _job_invented(made: Resume, changed: dict[str, Any], rng: Random) -> str:
    changed["experience"].append(
        {
            "title": rng.choice(resumes.TITLES),
            "company": absent(made, resumes.COMPANIES, rng),
            "start_date": "2004-02",
            "end_date": "2006-05",
        }
    )
    return f"experience[{len(changed['experience']) - 1}].company"


CORRUPTIONS: Final[Mapping[str, Corruption]] = {
    "name": _name,
    "email, one letter": _email,
    "phone, one digit": _phone,
    "place": _location,
    "title": _of_job("title", resumes.TITLES),
    "title raised": _title_of_other_job,
    "company": _of_job("company", resumes.COMPANIES),
    "degree's level": _degree_level,
    "degree's subject": _degree_subject,
    "school": _school,
    "skill swapped": _skill_swapped,
    "skill added": _skill_added,
    "language added": _language_added,
    "year shifted": _year_shifted,
    "year from elsewhere": _year_of_elsewhere,
    "date of another job": _date_of_other_job,
    "month shifted": _month_shifted,
    "start and end exchanged": _start_end_exchanged,
    "ended job as current": _still_there,
    "graduation year": _graduation_year,
    "number in a description": _number,
    "sentence added": _sentence,
    "job invented": _job_invented,
}
