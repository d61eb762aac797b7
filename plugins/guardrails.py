"""The names that `guardrails:` in `proxy_config.yaml` mentions; re-exports only.

Each has the name of its stage in `assembly.STAGES`. LiteLLM executes this file anew for every
mention, outside `sys.modules`: nothing may live here.
"""

from plugins.proxy.guardrails import guardrail_class

input_checks = guardrail_class("input_checks")

__all__ = ["input_checks"]
