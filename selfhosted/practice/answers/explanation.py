"""Explanation of a match: one sentence, three strengths, gaps, recommendation."""

from selfhosted.practice.answers import matching
from selfhosted.practice.prompt import Json, Prompt


def answer(prompt: Prompt) -> str | Json:
    """Explain the match that the prompt describes, as JSON if it asks for that."""
    found = matching.match(prompt)
    asked = len(found.matched) + len(found.missing)
    summary = (
        f"The candidate scores {found.score} of 100 and shows {len(found.matched)} of the "
        f"{asked} skills that the job names."
    )
    strengths = found.strengths or ["None of the job's named skills is shown."]
    gaps = found.gaps or ["None of the named requirements is missing."]
    if matching.wants_json(prompt):
        return {
            "summary": summary,
            "strengths": strengths,
            "gaps": gaps,
            "recommendation": found.recommendation,
        }
    lines = ["Summary: " + summary, "", "Top 3 strengths:"]
    lines += [f"{i}. {line}" for i, line in enumerate(strengths, 1)]
    lines += ["", "Key gaps:", *(f"- {line}" for line in gaps)]
    return "\n".join([*lines, "", f"Recommendation: {found.recommendation}"])
