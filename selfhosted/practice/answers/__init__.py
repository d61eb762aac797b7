"""Sensible answers by plain rules: one module per agent, and a sentence for everything else.

Which agent is asked is read off the prompt's own words: each agent has words that speak for it,
the best one over a threshold wins. The system text decides if it can; the text between tags
(documents) never does. A bare resume without any instruction is parsed.
"""

import re
from collections.abc import Callable

from selfhosted.practice.answers import (
    decision,
    default,
    documents,
    explanation,
    jobs,
    matching,
    resume,
    screening,
)
from selfhosted.practice.prompt import Json, Prompt

Agent = Callable[[Prompt], str | Json]
_THRESHOLD = 3.0
_READ_CHARACTERS = 8000
_STEMS = (
    "resume",
    "cv",
    "job",
    "jd",
    "candidate",
    "interview",
    "screening",
    "decision",
    "match",
    "explain",
)
_WORDS: tuple[tuple[Agent, tuple[tuple[str, float], ...]], ...] = (
    (
        explanation.answer,
        (
            (r"explain|explanation", 2.5),
            (r"strengths", 1.5),
            (r"\bgaps?\b", 1),
            (r"recommendation", 1),
            (r"one.sentence", 1),
        ),
    ),
    (
        decision.answer,
        (
            (r"\bdecision\b|\bdecide", 3),
            (r"\bconfidence\b", 1),
            (r"\breject|\badvance|\bshortlist|\bhire\b", 1),
            (r"\breasons?\b", 0.5),
        ),
    ),
    (
        resume.answer,
        (
            (r"pars\w+ (?:\w+ ){0,4}(?:resume|cv)s?\b|(?:resume|cv) pars", 3),
            (r"full_name", 2.5),
            (r"\bextract", 1.5),
            (r"\bresume|\bcvs?\b|curriculum vitae", 1.5),
            (r"\beducation\b", 0.5),
        ),
    ),
    (
        jobs.answer,
        (
            (r"\benrich", 2.5),
            (r"job (?:description|posting|ad)|\bjd\b", 1.5),
            (r"\bextract|\bstructur|\bnormali|\bimprove", 1.5),
            (r"responsibilit|seniority|must.have", 1),
        ),
    ),
    (
        matching.answer,
        (
            (r"\bmatch", 1.5),
            (r"\bscore", 1.5),
            (r"\bcandidate|\bresume", 0.5),
            (r"\bjob\b|\brole\b|requirements", 0.5),
            (r"\b0 ?(?:to|-|\u2013) ?100\b|of 100", 1),
        ),
    ),
    (
        screening.answer,
        (
            (r"\bscreening\b", 2.5),
            (r"\binterview", 2),
            (r"\bquestions?\b", 1),
            (r"\bpolite|\bconversation|\bchat\b", 0.5),
        ),
    ),
)
_RULES = [
    (agent, [(re.compile(w, re.I), points) for w, points in words]) for agent, words in _WORDS
]


def answer(prompt: Prompt) -> str | Json:
    """Answer a prompt: a text, or the object of an agent that answers in JSON."""
    if prompt.last.role == "tool":
        return default.answer(prompt)
    agent = recognise(prompt)
    return default.answer(prompt) if agent is None else agent(prompt)


def facts(prompt: Prompt) -> Json:
    """Return what an agent's rules found in a prompt, to fill a tool's arguments."""
    found = answer(prompt)
    return found if isinstance(found, dict) else {}


def recognise(prompt: Prompt) -> Agent | None:
    """Tell which agent a prompt is for."""
    system, user = prompt.system, prompt.last_user
    plain = f"{system}\n{user}".lower()
    if not any(stem in plain for stem in _STEMS):
        return resume.answer if "\n" in user and resume.looks_like(user) else None
    found = _best(system) if system else None
    if found is None and resume.looks_like(user) and "<" not in user[:200]:
        instruction = user.split("\n\n", 1)[0]
        return _best(instruction) or resume.answer
    return found or _best(documents.without(f"{system}\n{user}"))


def _best(text: str) -> Agent | None:
    text = text[:_READ_CHARACTERS]
    scores = [
        (sum(points for word, points in words if word.search(text)), agent)
        for agent, words in _RULES
    ]
    points, agent = max(scores, key=lambda scored: scored[0])
    return agent if points >= _THRESHOLD else None
