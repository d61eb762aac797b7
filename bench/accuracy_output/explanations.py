"""Explanations of made resumes, right ones and ones with a fault. Seeded."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from bench.accuracy_output import resumes
from bench.accuracy_output.corruptions import absent
from bench.accuracy_output.resumes import Resume

Facts = dict[str, Any]
_FRAMES: Final = (
    "The candidate worked as {title} at {company} from {start}.",
    "{first} brings experience as {title}, gained at {company}.",
    "Strong evidence of {skill} and {other}.",
    "As {title} at {company} the candidate worked with {skill}.",
    "Holds a degree in {subject} from {school} ({year}).",
    "Skilled in {skill}, {other} and more, according to the resume.",
    "{first} {last} studied {subject} at {school}.",
    "Shows {skill}, which the job asks for.",
)


def facts_of(made: Resume, rng: Random) -> Facts:
    """Choose what an explanation tells of a resume."""
    job = rng.choice(made.truth["experience"])
    school = rng.choice(made.truth["education"])
    first, _, last = made.truth["personal"]["full_name"].partition(" ")
    # Only skills in the resume's own spelling: other names are tried with the extractions.
    skills = [s for s in made.truth["skills"]["technical"] if s in made.text]
    skill, other = rng.sample(skills * 2, 2)
    return {
        "first": first,
        "last": last,
        "title": job["title"],
        "company": job["company"],
        "start": job["start_date"][:4],
        "skill": skill,
        "other": other,
        "subject": next(s for s in resumes.SUBJECTS if school["degree"].endswith(s)),
        "school": school["institution"],
        "year": school["end_date"][:4],
    }


def sentence(facts: Facts, frame: int) -> str:
    """Write one sentence."""
    return _FRAMES[frame % len(_FRAMES)].format(**facts)


def _with(field: str, choose: Callable[[Resume, Facts, Random], str]) -> Any:
    def change(made: Resume, rng: Random) -> str:
        facts = facts_of(made, rng)
        facts[field] = choose(made, facts, rng)
        frames = [frame for frame in _FRAMES if "{" + field + "}" in frame]
        return rng.choice(frames).format(**facts)

    return change


def _other_year(_: Resume, facts: Facts, rng: Random) -> str:
    return str(int(facts["start"]) + rng.choice((-3, -2, 2, 3)))


def _invented(_: Resume, rng: Random) -> str:
    return rng.choice(
        (
            "The candidate negotiated supplier contracts across three continents.",
            "Holds a professional certification in cloud architecture.",
            "Regularly speaks at international conferences and publishes articles.",
            "Colleagues praise an exceptional sense of humour and calm under pressure.",
            "The candidate has managed mergers, acquisitions and public listings.",
        )
    )


def _number(made: Resume, rng: Random) -> str:
    number = next(n for n in iter(lambda: rng.randint(3, 900), 0) if str(n) not in made.text)
    facts = facts_of(made, rng)
    return rng.choice(
        (
            f"Led {number} people at {facts['company']}.",
            f"Brings {number} years of {facts['skill']}.",
            f"As {facts['title']} the candidate cut costs by {number}%.",
        )
    )


FAULTS: Final[Mapping[str, Callable[[Resume, Random], str]]] = {
    "family name": _with("last", lambda m, _, r: absent(m, resumes.LAST, r)),
    "employer": _with("company", lambda m, _, r: absent(m, resumes.COMPANIES, r)),
    "title": _with("title", lambda m, _, r: absent(m, resumes.TITLES, r)),
    "skill": _with("skill", lambda m, _, r: absent(m, resumes.SKILLS, r)),
    "school": _with(
        "school", lambda m, _, r: r.choice([s for s in resumes.SCHOOLS if s not in m.text])
    ),
    "subject": _with("subject", lambda m, _, r: absent(m, resumes.SUBJECTS, r)),
    "year": _with("start", _other_year),
    "number": _number,
    "sentence invented": _invented,
}
