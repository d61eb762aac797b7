"""Sensible answers by plain rules: one module per agent, and a sentence for everything else."""

from selfhosted.practice.answers import default
from selfhosted.practice.prompt import Json, Prompt


def answer(prompt: Prompt) -> str | Json:
    """Answer a prompt: a text, or the object of an agent that answers in JSON."""
    return default.answer(prompt)


def facts(prompt: Prompt) -> Json:
    """Return what an agent's rules found in a prompt, to fill a tool's arguments."""
    found = answer(prompt)
    return found if isinstance(found, dict) else {}
