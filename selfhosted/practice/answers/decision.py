"""Decision: advance, hold or reject, in the words that the prompt offers, as JSON."""

from selfhosted.practice.answers import matching
from selfhosted.practice.prompt import Json, Prompt

_WORDS = (
    ("advance", "hold", "reject"),
    ("shortlist", "hold", "reject"),
    ("hire", "hold", "no_hire"),
    ("hire", "hold", "reject"),
    ("approve", "hold", "reject"),
    ("yes", "maybe", "no"),
)


def answer(prompt: Prompt) -> Json:
    """Decide by the match's score: 75 and more advances, 50 and more is held."""
    found = matching.match(prompt)
    text = "\n".join(t.text for t in prompt.turns).lower()
    words = next((w for w in _WORDS if w[0] in text and w[2] in text), _WORDS[0])
    at = {"yes": 0, "maybe": 1, "no": 2}[found.recommendation]
    reasons = found.strengths + found.gaps
    return {
        "decision": words[at],
        "reasons": reasons or [f"The match score is {found.score} of 100."],
        "confidence": matching.confidence(found),
    }
