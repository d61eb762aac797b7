"""The answer to a prompt of no known agent."""

from selfhosted.practice.prompt import Prompt

_WORDS = 8


def answer(prompt: Prompt) -> str:
    """Answer in one sentence that repeats the first words of the last message."""
    last = prompt.last
    words = (last.text if last.role == "tool" else prompt.last_user).split(None, _WORDS)[:_WORDS]
    said = " ".join(words)
    if last.role == "tool":
        return f"The tool answered: {said}" if said else "The tool answered nothing."
    if not said:
        return "This is the practice provider; the message was empty."
    return f"This is the practice provider. You said: {said}"
