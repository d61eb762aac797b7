"""The names of spans, events and attributes; docs/tracing.md explains each.

GenAI names are those of the installed opentelemetry-semantic-conventions (0.66b2); what they have
no word for is under `sluice.`.
"""

from typing import Final

from plugins.core.call import Endpoint

# --- GenAI and general conventions ---------------------------------------------------------------
AGENT_NAME: Final = "gen_ai.agent.name"
CONVERSATION: Final = "gen_ai.conversation.id"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OPERATION: Final = "gen_ai.operation.name"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
OUTPUT_TYPE: Final = "gen_ai.output.type"
PROMPT_NAME: Final = "gen_ai.prompt.name"
PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - a name
ERROR_TYPE: Final = "error.type"
HTTP_STATUS: Final = "http.response.status_code"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"

# --- Older GenAI names, beside the others when OTEL_SEMCONV_STABILITY_OPT_IN asks for them --------
OLD_SYSTEM: Final = "gen_ai.system"
OLD_INPUT_TOKENS: Final = "gen_ai.usage.prompt_tokens"
OLD_OUTPUT_TOKENS: Final = "gen_ai.usage.completion_tokens"

# --- The gateway's own ---------------------------------------------------------------------------
CALL_ID: Final = "sluice.call_id"
TENANT: Final = "sluice.tenant"
KEY: Final = "sluice.key_id"
ENDPOINT: Final = "sluice.endpoint"
AGENT: Final = "sluice.agent"
MODEL: Final = "sluice.model"
MODEL_ASKED: Final = "sluice.model_asked"
TIER: Final = "sluice.tier"
DEPLOYMENT: Final = "sluice.deployment"
SERVED_BY: Final = "sluice.provider"
CACHE: Final = "sluice.cache"
OUTCOME: Final = "sluice.outcome"
COST_USD: Final = "sluice.cost_usd"
SAVED_USD: Final = "sluice.saved_usd"
COST_NOTE: Final = "sluice.cost_note"
CALL_INPUT_TOKENS: Final = "sluice.usage.input_tokens"
CALL_OUTPUT_TOKENS: Final = "sluice.usage.output_tokens"
CHARACTERS: Final = "sluice.usage.characters"
AUDIO_S: Final = "sluice.usage.audio_seconds"
USAGE_SOURCE: Final = "sluice.usage.source"
VERDICT: Final = "sluice.verdict"
CONFIDENCE: Final = "sluice.confidence"
ENTITY_TYPE: Final = "sluice.entity_type"
ENTITY_ID: Final = "sluice.entity_id"
PARENT_CALL: Final = "sluice.parent_call_id"
PRACTICE: Final = "sluice.practice"
VARIANT: Final = "sluice.variant."
TRIES: Final = "sluice.attempts"
TRY: Final = "sluice.attempt"
RETRY_AFTER_S: Final = "sluice.retry_after_s"
KEPT: Final = "sluice.kept_because"
LEFT_OUT: Final = "sluice.spans_left_out"
STAGE: Final = "sluice.stage"
STAGES: Final = "sluice.stages"
CODE: Final = "sluice.code"
CHECK: Final = "sluice.check"
ACTION: Final = "sluice.action"
WHERE: Final = "sluice.where"
EXCERPT: Final = "sluice.excerpt"
SCORE: Final = "sluice.score"

# --- Events --------------------------------------------------------------------------------------
SKIPPED_EVENT: Final = "sluice.tier.skipped"
FINDING_EVENT: Final = "sluice.finding"
FIRST_BYTE_EVENT: Final = "sluice.first_byte"

OPERATIONS: Final = {
    Endpoint.CHAT: "chat",
    Endpoint.COMPLETIONS: "text_completion",
    Endpoint.EMBEDDINGS: "embeddings",
    Endpoint.RESPONSES: "chat",
    Endpoint.MESSAGES: "chat",
    Endpoint.MODERATIONS: "moderation",
    Endpoint.SPEECH: "speech",
    Endpoint.TRANSCRIPTIONS: "transcription",
}
"""GenAI operations; the last three are words of our own, the conventions have none."""
