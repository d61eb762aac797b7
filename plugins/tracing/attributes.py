"""What is said of a call and of each try, as attributes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from plugins.core.call import Attempt, Call, Endpoint, Usage, UsageSource
from plugins.core.verdict import Verdict
from plugins.tracing import names
from plugins.tracing.spans import Value

LONGEST_TEXT: Final = 256
MOST_VARIANTS: Final = 16
_NUMBERS: Final = (
    ("max_tokens", "gen_ai.request.max_tokens"),
    ("max_completion_tokens", "gen_ai.request.max_tokens"),
    ("max_output_tokens", "gen_ai.request.max_tokens"),
    ("temperature", "gen_ai.request.temperature"),
    ("top_p", "gen_ai.request.top_p"),
    ("top_k", "gen_ai.request.top_k"),
    ("frequency_penalty", "gen_ai.request.frequency_penalty"),
    ("presence_penalty", "gen_ai.request.presence_penalty"),
    ("seed", "gen_ai.request.seed"),
)
_FORMATS: Final = {"json_object": "json", "json_schema": "json", "text": "text"}


@dataclass(frozen=True, slots=True)
class Upstream:
    """What stands behind a deployment.

    Args:
        model: as its provider calls it.
        address: host name of its server; empty when LiteLLM alone knows it.
        port: of the server; 0 likewise.
    """

    model: str
    address: str = ""
    port: int = 0


NOWHERE: Final = Upstream("")


def of_call(call: Call) -> dict[str, Value]:
    """Say what a whole call was, what it cost and how it ended.

    Its tokens are under `sluice.usage.*`: under `gen_ai.usage.*` they stand on the tries, and a
    backend that adds those up would count them twice.
    """
    usage, context = call.usage, call.context
    found: dict[str, Value] = {
        names.OPERATION: names.OPERATIONS[call.endpoint],
        names.CALL_ID: call.id,
        names.TENANT: call.principal.tenant_id,
        names.KEY: call.principal.key_id,
        names.ENDPOINT: call.endpoint.value,
        names.MODEL_ASKED: call.model_asked[:LONGEST_TEXT],
        names.CACHE: call.cache,
        names.COST_USD: float(call.cost_usd),
        names.CALL_INPUT_TOKENS: usage.input_tokens,
        names.CALL_OUTPUT_TOKENS: usage.output_tokens,
        names.REQUEST_STREAM: call.stream,
        names.TRIES: len(call.attempts),
    }
    if call.status:
        found[names.HTTP_STATUS] = call.status
    if call.outcome is not None:
        found[names.OUTCOME] = call.outcome.value
    agent = call.agent_name
    _put(
        found,
        (names.AGENT, agent),
        (names.AGENT_NAME, agent),
        (names.CONVERSATION, context.session),
        (names.ENTITY_TYPE, context.entity_type),
        (names.ENTITY_ID, context.entity_id),
        (names.PARENT_CALL, context.parent_call_id),
        (names.COST_NOTE, call.cost_note),
        (names.MODEL, call.model_served),
        (names.TIER, call.tier),
        (names.SERVED_BY, call.provider_served),
        (names.OUTPUT_TYPE, _output_type(call)),
    )
    _put_rare(found, call)
    return found


def _put_rare(found: dict[str, Value], call: Call) -> None:
    """Add what most calls have not."""
    usage = call.usage
    if call.saved_usd:
        found[names.SAVED_USD] = float(call.saved_usd)
    if usage.characters:
        found[names.CHARACTERS] = usage.characters
    if usage.audio_s:
        found[names.AUDIO_S] = float(usage.audio_s)
    if call.verdict is not Verdict.ALLOW:
        found[names.VERDICT] = call.verdict.value
    if call.confidence is not None:
        found[names.CONFIDENCE] = call.confidence
    if call.practice:
        found[names.PRACTICE] = True
    if call.variants:
        _put_variants(found, call.variants)


def _put_variants(found: dict[str, Value], variants: Mapping[str, str]) -> None:
    """Add what decided the answer besides model and body: prompt version, arm, wire version."""
    for name, value in list(variants.items())[:MOST_VARIANTS]:
        found[names.VARIANT + name[:64]] = value[:LONGEST_TEXT]
    if prompt := variants.get("prompt"):
        found[names.PROMPT_NAME] = prompt.partition("@")[0][:LONGEST_TEXT]


def of_attempt(call: Call, attempt: Attempt, upstream: Upstream) -> dict[str, Value]:
    """Say what was asked of a provider, and what it answered."""
    found: dict[str, Value] = {
        names.OPERATION: names.OPERATIONS[call.endpoint],
        names.REQUEST_MODEL: upstream.model or attempt.group,
        names.MODEL: attempt.group,
        names.REQUEST_STREAM: call.stream,
        names.TIER: call.agent.tier_of(attempt.group) if call.agent else "primary",
    }
    _put(
        found,
        (names.PROVIDER, attempt.provider),
        (names.DEPLOYMENT, attempt.deployment),
        (names.CONVERSATION, call.context.session),
        (names.OUTPUT_TYPE, _output_type(call)),
        (names.ERROR_TYPE, attempt.error_class),
        (names.SERVER_ADDRESS, upstream.address),
    )
    if upstream.port:
        found[names.SERVER_PORT] = upstream.port
    if attempt.status is not None:
        found[names.HTTP_STATUS] = attempt.status
    if attempt.retry_after_s:
        found[names.RETRY_AFTER_S] = attempt.retry_after_s
    _put_parameters(found, call.body)
    return found


def put_usage(found: dict[str, Value], usage: Usage) -> None:
    """Add what a try consumed, where that is known."""
    if usage.source is UsageSource.NONE and usage.is_empty:
        return
    found[names.INPUT_TOKENS] = usage.input_tokens
    found[names.OUTPUT_TOKENS] = usage.output_tokens
    found[names.USAGE_SOURCE] = usage.source.value
    if usage.cached_input_tokens:
        found[names.CACHE_READ_TOKENS] = usage.cached_input_tokens
    if usage.cache_write_tokens:
        found[names.CACHE_WRITE_TOKENS] = usage.cache_write_tokens


def put_older(found: dict[str, Value]) -> None:
    """Add the names that these attributes had before version 1.37 of the conventions."""
    for new, old in (
        (names.PROVIDER, names.OLD_SYSTEM),
        (names.INPUT_TOKENS, names.OLD_INPUT_TOKENS),
        (names.OUTPUT_TOKENS, names.OLD_OUTPUT_TOKENS),
    ):
        if new in found:
            found[old] = found[new]


def _put(found: dict[str, Value], *pairs: tuple[str, str | None]) -> None:
    for name, value in pairs:
        if value:
            found[name] = value[:LONGEST_TEXT]


def _put_parameters(found: dict[str, Value], body: Mapping[str, Any]) -> None:
    """Add a request's own parameters; what is no number where one belongs is left out."""
    for key, name in _NUMBERS:
        value = body.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = value
    choices = body.get("n")
    if isinstance(choices, int) and choices > 1:
        found["gen_ai.request.choice.count"] = choices
    stops: object = body.get("stop") or body.get("stop_sequences")
    listed = [stops] if isinstance(stops, str) else stops
    if isinstance(listed, list):
        texts = [s for s in cast("list[Any]", listed)[:8] if isinstance(s, str)]
        found["gen_ai.request.stop_sequences"] = tuple(s[:LONGEST_TEXT] for s in texts)


def _output_type(call: Call) -> str | None:
    if call.endpoint is Endpoint.SPEECH:
        return "speech"
    asked: object = call.body.get("response_format")
    if not isinstance(asked, dict):
        return None
    return _FORMATS.get(str(cast("dict[str, Any]", asked).get("type")))
