"""Screening and voice interviews: a polite next question, never the same one twice."""

from selfhosted.practice.answers import skills
from selfhosted.practice.prompt import Prompt

_QUESTIONS = (
    "Could you tell me briefly about your current role?",
    "What interests you in this position?",
    "Which achievement of the last two years are you most proud of?",
    "How do you like to work with a team?",
    "When could you start, and what is your notice period?",
    "What would you like to know about the role?",
)
_CLOSING = "That was my last question. We will get back to you within a week."


def answer(prompt: Prompt) -> str:
    """Thank for the last answer and ask the next question."""
    asked = sum(t.role == "assistant" for t in prompt.turns)
    users = sum(t.role == "user" for t in prompt.turns)
    thanks = "Thank you for your answer. " if users > 1 or asked else "Thank you for your time. "
    named = skills.technical(prompt.last_user)
    if named and asked < len(_QUESTIONS):
        return f"{thanks}Could you describe a project in which you used {named[0]}?"
    return thanks + (_QUESTIONS[asked] if asked < len(_QUESTIONS) else _CLOSING)
