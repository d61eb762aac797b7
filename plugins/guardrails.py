"""The names that `guardrails:` in `proxy_config.yaml` mentions; re-exports only.

Each has the name of its stage in `assembly.STAGES`. LiteLLM executes this file anew for every
mention, outside `sys.modules`: nothing may live here.
"""

from plugins.proxy.guardrails import guardrail_class

confidence = guardrail_class("confidence")
grounding = guardrail_class("grounding")
input_checks = guardrail_class("input_checks")
moderation = guardrail_class("moderation")
schema = guardrail_class("schema")
toxicity = guardrail_class("toxicity")

__all__ = ["confidence", "grounding", "input_checks", "moderation", "schema", "toxicity"]
