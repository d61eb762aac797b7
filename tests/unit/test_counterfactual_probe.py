"""The counterfactual probe through the port by which checks ask models."""

import json
from dataclasses import replace

from plugins.core.answer import Answer
from plugins.core.asking import Question
from plugins.core.call import Call
from plugins.grounding.counterfactual import compare, personas, swapped
from tests.making import a_call


class Prejudiced:
    """Decides by a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def ask(self, call: Call, question: Question) -> Answer | None:
        rejects = self.name in question.messages[0]["content"]
        return Answer((json.dumps({"decision": "reject" if rejects else "advance"}),))


async def test_a_decision_that_follows_the_name_is_found_out() -> None:
    group = personas(1)
    now, then = next(group), next(group)
    text = f"{now.first} {now.last} applies. Shall we advance?"
    question = Question("probe", "decision", [{"role": "user", "content": text}], {})
    other = replace(question, messages=[{"role": "user", "content": swapped(text, now, then)}])
    for asker, changed in ((Prejudiced(then.first), True), (Prejudiced("nobody"), False)):
        answers = [await asker.ask(a_call(), each) for each in (question, other)]
        texts = [answer.text for answer in answers if answer is not None]
        assert compare(*texts).decision_changed is changed
