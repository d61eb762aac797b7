"""Names that are refused for what they do, each with the reason a client is given."""

import re
from typing import Final

_STEERING_WORDS: Final = """
    api_base api_key api_type api_version base_url timeout fallbacks fallback_depth guardrail
    guardrails guardrail_config policies cache caching caching_groups preset_cache_key tags
    tag_regex extra_body extra_headers extra_query headers user_config specific_deployment
    drop_params additional_drop_params organization client client_id client_secret tenant_id id
    weight order rpm tpm itpm otpm ttl no-log verbose logger logger_fn callbacks success_callback
    failure_callback service_callback ssl_verify rust self roles proxy_server_request
    secret_fields silent_model cooldown_time shared_session text_completion acompletion aembedding
    complete_response merge_reasoning_content_in_choices ensure_alternating_roles
    supports_system_message turn_off_message_logging priority workspace_id user_profile_id
"""
_STEERING_FORMS: Final = re.compile(
    r"""
    (?:_|litellm|vertex|aws|azure|mock|s3|gcs|langfuse|langsmith|arize|dd_|posthog|wandb|weave
      |humanloop|newrelic|signoz|openai_|anthropic|watsonx|oci_|bedrock|auto_router|user_api_key
      |prompt_(?:id|variables|label|version|environment)|cache_(?:key|control_)|deployment
      |disable_|enable_|custom_|routing_|router_|retry_|context_window|content_policy|allowed_
      |model_(?:list|info|config|group|alias)|max_(?:retries|fallbacks|budget)|num_retries
      |provider_|configurable_|use_|base_model|hf_model|region_|budget_)\w*
    | \w*(?:_cost_per_|_token_cost|_timeout|timeout_|_router_config)\w*
    """,
    re.VERBOSE,
)
_METADATA_WORDS: Final = """
    tags guardrail guardrails guardrail_config policies deployment api_base headers cache
    caching_groups priority previous_models original_model_group max_retries num_retries
    spend_logs_metadata enforced_params team_metadata secret_manager_settings raw_request
    pii_tokens agent_id user_ip turn_off_message_logging prompt_management_metadata profile_id
    profile_name fallback_depth hidden_params endpoint
"""
_METADATA_FORMS: Final = re.compile(
    r"(?:_|litellm|user_api_|mock_|attempted_|routing_|sensitive_data_|requester_|applied_"
    r"|disable_|opted_out_|standard_logging_|enable_|model_)\w*"
)

_STEERING: Final = frozenset(_STEERING_WORDS.split())
_METADATA: Final = frozenset(_METADATA_WORDS.split())

_STATE: Final = "names state kept at the provider, which tenants would share"
_REACHES_OUT: Final = "makes the provider reach out or run code, which is not open to tenants"
_HOSTED: Final = re.compile(
    r"(?:server_tool|web_|file_search|code_interpreter|code_execution|bash_code|text_editor_code"
    r"|computer|browser|image_generation|mcp|local_shell|shell|apply_patch|tool_search|program"
    r"|container|additional_tools)\w*"
)

_CLOSED: Final = {
    "previous_response_id": (_STATE, "send the whole conversation in `input`"),
    "conversation": (_STATE, "send the whole conversation in `input`"),
    "prompt": (_STATE, "name an agent of the gateway instead"),
    "file_id": (_STATE, "send the bytes as base64"),
    "audio": (_STATE, "send what was said as text"),
    "diagnostics": (_STATE, "remove it"),
}
_TOOLS: Final = frozenset({"mcp_servers", "container", "web_search_options", "skills"})


def steers(name: str) -> bool:
    """Tell whether LiteLLM would take this name as an instruction to itself.

    Source: LiteLLM 1.106.2, `all_litellm_params`.
    """
    return name in _STEERING or _STEERING_FORMS.fullmatch(name) is not None


def steers_in_metadata(key: str) -> bool:
    """Tell whether LiteLLM would act on this key of `metadata`.

    Source: LiteLLM 1.106.2, the metadata keys that its router, proxy and guardrails read.
    """
    return key in _METADATA or _METADATA_FORMS.fullmatch(key) is not None


def hosted(kind: str) -> bool:
    """Tell whether a tool or item type is run by the provider rather than by the caller."""
    return _HOSTED.fullmatch(kind) is not None


def unknown(name: str, *, top: bool) -> tuple[str, str]:
    """Give code and reason for a field that no schema has.

    Args:
        name: the field.
        top: whether it stands in the body itself rather than inside one of its values.

    Returns:
        The stable code and the end of the sentence that starts with the field.
    """
    if top and name in _TOOLS:
        return "tool_not_allowed", f"{_REACHES_OUT}; remove it"
    if top and steers(name):
        return "parameter_not_allowed", "steers the gateway and is not open to tenants; remove it"
    return "unknown_parameter", ""


def closed(name: str) -> str:
    """Give the reason why a field of the provider's API is not open here."""
    reason, remedy = _CLOSED.get(name, ("is not open to tenants", "remove it"))
    return f"{reason}; {remedy}"
