"""Matching: how many of the job's skills and years a candidate has."""

import re
from dataclasses import dataclass

from selfhosted.practice.answers import documents, jobs, skills
from selfhosted.practice.prompt import Json, Prompt

_SKILL_WEIGHT = 0.7
_YES_FROM, _MAYBE_FROM = 75, 50


@dataclass(frozen=True, slots=True)
class Match:
    """What a job asks for and what of it a candidate shows.

    Attributes:
        score: 0 to 100; 70 % skills, 30 % years; what the job does not ask for counts as met.
    """

    score: int
    matched: list[str]
    missing: list[str]
    years_wanted: int | None
    years_had: int | None

    @property
    def recommendation(self) -> str:
        """`yes` from 75, `maybe` from 50, else `no`."""
        return "yes" if self.score >= _YES_FROM else "maybe" if self.score >= _MAYBE_FROM else "no"

    @property
    def strengths(self) -> list[str]:
        """What speaks for the candidate, at most three sentences."""
        said = [f"Shows {name}, which the job asks for." for name in self.matched]
        if self.years_had and self.years_had >= (self.years_wanted or 0):
            said.insert(1, f"Brings {self.years_had} years of experience.")
        return said[:3]

    @property
    def gaps(self) -> list[str]:
        """What the job asks for and the candidate does not show."""
        said = [f"No evidence of {name}." for name in self.missing]
        if self.years_wanted and (self.years_had or 0) < self.years_wanted:
            said.append(f"{self.years_had or 0} of {self.years_wanted} years of experience.")
        return said


def match(prompt: Prompt) -> Match:
    """Compare the candidate and the job that a prompt holds."""
    text = "\n".join(t.text for t in prompt.turns if t.role == "user")
    job = documents.find(text, "job", "requirement", "vacancy", "jd", "position") or text
    person = documents.find(text, "candidate", "resume", "cv", "profile") or text
    wanted, had = skills.technical(job), {s.lower() for s in skills.technical(person)}
    matched = [name for name in wanted if name.lower() in had]
    missing = [name for name in wanted if name.lower() not in had]
    asked, has = jobs.years(job), jobs.years(person)
    share = len(matched) / len(wanted) if wanted else 1.0
    seniority = min(1.0, (has or 0) / asked) if asked else 1.0
    score = round(100 * (_SKILL_WEIGHT * share + (1 - _SKILL_WEIGHT) * seniority))
    given = documents.number_after(text, "score")
    return Match(score if given is None else round(given), matched, missing, asked, has)


def answer(prompt: Prompt) -> Json:
    """Score the candidate against the job."""
    found = match(prompt)
    return {
        "score": max(0, min(100, found.score)),
        "recommendation": found.recommendation,
        "reasons": found.strengths + found.gaps
        or ["The job names no skill that could be compared."],
        "matched_skills": found.matched,
        "missing_skills": found.missing,
        "confidence": confidence(found),
    }


def confidence(found: Match) -> float:
    """Return 0.6 without any named skill, up to 0.95 with ten."""
    named = len(found.matched) + len(found.missing)
    return round(min(0.95, 0.6 + 0.035 * named), 2)


def wants_json(prompt: Prompt) -> bool:
    """Tell whether a prompt asks for JSON."""
    return any(re.search(r"\bjson\b", t.text, re.I) for t in prompt.turns if t.role != "assistant")
