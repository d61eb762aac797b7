"""Askers that remember what they were asked."""

from collections.abc import Sequence

from plugins.core.answer import Answer
from plugins.core.asking import Question
from plugins.core.call import Call


class RememberedAsker:
    """Gives prepared answers in turn, and then none.

    Args:
        answers: what it says, in order.
    """

    def __init__(self, *answers: str | None) -> None:
        self.answers: list[str | None] = list(answers)
        self.asked: list[Question] = []

    async def ask(self, call: Call, question: Question) -> Answer | None:
        self.asked.append(question)
        text = self.answers.pop(0) if self.answers else None
        return None if text is None else Answer((text,))


def purposes(asked: Sequence[Question]) -> list[str]:
    """Say why each was asked."""
    return [question.purpose for question in asked]
