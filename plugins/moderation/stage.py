"""The input checks' part in a call: length, then all patterns in one pass (SPEC 10.1, 10.4)."""

import json
from collections.abc import Sequence
from typing import Final

from typing_extensions import override

from plugins.core.asked import Asked, Keys, asked_of, token_counts, with_texts
from plugins.core.call import Call, Endpoint
from plugins.core.checks import CheckBook, CheckRule
from plugins.core.errors import GatewayError, InvalidRequest
from plugins.core.gate import failed, guarded
from plugins.core.review import Reason
from plugins.core.source import sources_of
from plugins.core.stage import Stage
from plugins.core.verdict import Action, Finding
from plugins.moderation.checks import finding, masked
from plugins.moderation.length import (
    MOST_TOKENS,
    CountTokens,
    TooLong,
    may_exceed,
    prompts_of,
    too_long,
)
from plugins.moderation.rules import Hit, once
from plugins.moderation.scanning import PATTERNS, Found, Scanned, Scanner

NAME: Final = "input_checks"
PROMPT_TOO_LONG: Final = "prompt_too_long"
CODES: Final = {
    "length": PROMPT_TOO_LONG,
    "pii": "pii_detected",
    "sql_injection": "sql_injection",
    "profanity": "profanity",
    "prompt_injection": "prompt_injection",
}
"""Code of the refusal by check."""
MOST_TOLD: Final = 20
"""Findings of one check that are written down of one call; all of them are masked."""

_TOLD: Final = {
    "pii": "which must not go into a model; remove it, or put a placeholder in its place",
    "sql_injection": "which looks like an attack on a database; write that part as plain words",
    "profanity": "which this agent does not take; say it in other words",
    "prompt_injection": "which tries to steer the model; remove it",
}
_REVIEWED: Final = {Action.FLAG: Reason.FLAG, Action.BLOCK: Reason.BLOCK}


class InputChecksStage(Stage):
    """Judges what a client sent before anything of it is sent on, kept or cached.

    Calls of the gateway's own checks (`Call.inner`) pass, and a call of the moderation endpoint is
    a check itself: only its length is judged.

    Args:
        book: what each check does, by agent.
        count_tokens: counts a short text exactly; runs in a thread.
        most_tokens: of one prompt.
        scanner: makes the pattern checks.
    """

    name: str = NAME

    def __init__(
        self,
        book: CheckBook,
        count_tokens: CountTokens,
        most_tokens: int = MOST_TOKENS,
        scanner: Scanner | None = None,
    ) -> None:
        self._book: Final = book
        self._count: Final = count_tokens
        self._most: Final = most_tokens
        self._scanner: Final = scanner or Scanner()

    @override
    async def check_input(self, call: Call) -> GatewayError | None:
        """Run the checks that are on."""
        if call.inner:
            return None
        rules = self._book.of(call.agent_name)
        texts = asked_of(call.endpoint, call.body)
        refusal = await self._check_length(call, texts)
        if refusal is not None or call.endpoint is Endpoint.MODERATIONS:
            return refusal
        on = {name: rules[name] for name in PATTERNS if name in rules and rules[name].is_on}
        if not on or not texts:
            return None
        scanned = await self._scanner.scan(call.endpoint, texts, on)
        if not scanned.found and not scanned.failures:
            return None
        return _acted(call, on, scanned)

    async def _check_length(self, call: Call, texts: Sequence[Asked]) -> GatewayError | None:
        rule = self._book.rule(call.agent_name, "length")
        if not rule.is_on:
            return None
        counts = token_counts(call.endpoint, call.body)
        if counts and max(counts) > self._most:
            return _too_long(call, rule, self._most, TooLong(max(counts), True, None))
        for prompt in prompts_of(call.endpoint, texts):
            if may_exceed(prompt, self._most):
                work = too_long(prompt, self._most, self._count)
                found = await guarded(call, "length", rule, work)
                if isinstance(found, TooLong):
                    found = _too_long(call, rule, self._most, found)
                if found is not None:
                    return found
        return None


def _too_long(call: Call, rule: CheckRule, most: int, found: TooLong) -> GatewayError | None:
    # Nothing of a length can be masked: it is refused then too.
    action = Action.BLOCK if rule.action is Action.MASK else rule.action
    path = found.longest.path if found.longest else "input"
    call.note(Finding("length", PROMPT_TOO_LONG, action, path))
    if action is Action.FLAG:
        call.ask_review(Reason.FLAG)
    if action is not Action.BLOCK:
        return None
    size = f"{found.tokens} tokens" if found.whole else f"more than {found.tokens} tokens"
    message = (
        f"the prompt has {size}, but may have {most}; the longest part is `{path}`: shorten it, or"
        " split it into several calls"
    )
    return InvalidRequest(message, code=PROMPT_TOO_LONG, param=path)


def _acted(call: Call, on: dict[str, CheckRule], scanned: Scanned) -> GatewayError | None:
    """Do what policy says of what was found, and of what could not be judged."""
    refusals: list[GatewayError | None] = []
    masks: dict[Keys, list[Found]] = {}
    for check, rule in on.items():
        found = scanned.found.get(check, [])
        if found:
            action = _action(call, rule)
            refusals.append(_noted(call, check, action, found))
            if action is Action.MASK:
                for each in found:
                    masks.setdefault(each[0].keys, []).append(each)
        if check in scanned.failures:
            refusals.append(failed(call, check, rule, scanned.failures[check]))
    refusal = next((each for each in refusals if each is not None), None)
    if refusal is None and masks:
        texts = {keys: _without(found) for keys, found in masks.items()}
        call.body = with_texts(call.body, texts)
        call.sources = sources_of(call.body)
    return refusal


def _action(call: Call, rule: CheckRule) -> Action:
    # A form goes on as the client's own bytes, in which nothing can be masked.
    form = call.endpoint is Endpoint.TRANSCRIPTIONS
    return Action.BLOCK if form and rule.action is Action.MASK else rule.action


def _noted(call: Call, check: str, action: Action, found: list[Found]) -> GatewayError | None:
    kept = found[:MOST_TOLD]
    call.note(*(finding(check, hit, asked.text, action, asked.path) for asked, hit in kept))
    if (reason := _REVIEWED.get(action)) is not None:
        call.ask_review(reason)
    if action is not Action.BLOCK:
        return None
    asked, hit = found[0]
    kind = hit.code.replace("_", " ")
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    place = f"characters {hit.start} to {hit.end}"
    message = f"`{asked.path}` holds {kind} ({place}){more}, {_TOLD[check]}"
    return InvalidRequest(message, code=CODES[check], param=asked.path)


def _without(found: list[Found]) -> str:
    """Give a text without what was found in it; JSON stays JSON."""
    asked = found[0][0]
    hits = once([hit for _, hit in found])
    changed = masked(asked.text, hits)
    if asked.keys[-1] != "arguments" or _is_json(changed) or not _is_json(asked.text):
        return changed
    return _masked_values(asked.text, hits) or changed


def _masked_values(text: str, hits: list[Hit]) -> str | None:
    """Mask values of JSON that stand without quotes, such as a number; None if that fails."""
    parts: list[str] = []
    done = 0
    for hit in hits:
        if hit.start < done:
            continue
        before = text[done : hit.start]
        inside = text.count('"', 0, hit.start) % 2 == 1
        parts += [before, f"[{hit.code}]" if inside else f'"[{hit.code}]"']
        done = hit.end
    changed = "".join([*parts, text[done:]])
    return changed if _is_json(changed) else None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
