"""Every body of a model call is checked here before LiteLLM sees it. Pure: no I/O, no LiteLLM.

What passes fits the providers' published schema of its endpoint; a field that no schema has is
refused, and so is what would let a tenant steer the gateway (`api_base`, `num_retries`,
`mock_response`, `fallbacks`, `tags`, ...), reach out through it (URLs, hosted tools) or name state
that the provider keeps under the one account that tenants share (`previous_response_id`,
`conversation`, `prompt`, `background`, `file_id`, earlier audio, custom voices). LiteLLM alone
answers such bodies with 500s, retries or silence, or obeys them.

The bytes are decoded once; the decoded value is checked and returned, so what was checked and what
is used cannot differ. The caller forwards that value encoded anew, never the bytes.

Codes: `invalid_json`, `invalid_type`, `invalid_value`, `missing_parameter`, `unknown_parameter`,
`parameter_not_allowed`, `tool_not_allowed`, `url_not_allowed`, `too_deep`, `too_many_items`,
`request_too_large`.
"""

from plugins.proxy.schema.body import parse_body
from plugins.proxy.schema.form import parse_form
from plugins.proxy.schema.limits import DEFAULT_LIMITS, BodyLimits

__all__ = ["DEFAULT_LIMITS", "BodyLimits", "parse_body", "parse_form"]
