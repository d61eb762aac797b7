"""Usage objects and log-probabilities in OpenAI's shape."""

from hashlib import blake2b
from typing import Any

import msgspec

from selfhosted.practice import usage
from selfhosted.practice.faults import Plan
from selfhosted.practice.prefixes import PrefixTable, chain
from selfhosted.practice.prompt import Json, Prompt

_CACHE_FROM_TOKENS = 1024
_CACHE_STEP_TOKENS = 128
_OTHER_GAP = 3.0


class PromptDetails(msgspec.Struct):
    """Which prompt tokens were cheaper or are audio."""

    cached_tokens: int = 0
    audio_tokens: int = 0


class CompletionDetails(msgspec.Struct):
    """Which answer tokens are no visible text."""

    reasoning_tokens: int = 0
    audio_tokens: int = 0
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0


class Usage(msgspec.Struct):
    """Token counts of a call."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails


def make_usage(plan: Plan, prompt: int, completion: int, cached: int = 0) -> Usage | None:
    """Report usage, unless a fault says otherwise."""
    if plan.usage is not None:
        if plan.usage.mode == "missing":
            return None
        prompt, completion, cached = plan.usage.prompt_tokens, plan.usage.completion_tokens, 0
        if plan.usage.mode == "zero":
            prompt = completion = 0
    return Usage(
        prompt, completion, prompt + completion, PromptDetails(cached), CompletionDetails()
    )


def cached_tokens(table: PrefixTable, scope: str, prompt: Prompt, prompt_tokens: int) -> int:
    """Count prompt tokens that OpenAI would have cached.

    Leading messages seen within five minutes under the same model count, from 1,024 tokens on,
    in steps of 128.
    """
    if prompt_tokens < _CACHE_FROM_TOKENS:
        return 0
    digests = chain([scope, *(f"{t.role}:{t.text}" for t in prompt.turns)])[1:]
    hit = table.longest(digests)
    table.remember(digests)
    cached = sum(usage.count(t.text) + usage.MESSAGE_TOKENS for t in prompt.turns[:hit])
    cached -= cached % _CACHE_STEP_TOKENS
    return cached if cached >= _CACHE_FROM_TOKENS else 0


def logprobs(text: str, top: int, plan: Plan) -> list[Json]:
    """List the tokens of a text with log-probabilities between -0.05 and 0.

    A programmed answer's `logprob` replaces them.
    """
    fixed = plan.answer.logprob if plan.answer is not None else None
    return [_token(raw, i, top, fixed) for i, raw in enumerate(usage.split(text))]


def _token(raw: bytes, at: int, top: int, fixed: float | None) -> Json:
    drawn = blake2b(raw + at.to_bytes(4, "big"), digest_size=2).digest()
    logprob = fixed if fixed is not None else -(drawn[0] + 1) / 5200
    entry: Json = _entry(raw, logprob)
    others = [_entry(b"%d" % k, logprob - _OTHER_GAP - k) for k in range(1, top)]
    entry["top_logprobs"] = ([_entry(raw, logprob)] if top else []) + others
    return entry


def _entry(raw: bytes, logprob: float) -> dict[str, Any]:
    return {
        "token": raw.decode(errors="replace"),
        "logprob": round(logprob, 6),
        "bytes": list(raw),
    }
