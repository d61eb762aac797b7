"""The names that `proxy_config.yaml` mentions; re-exports only.

LiteLLM executes this file anew for every mention, outside `sys.modules`: nothing may live here.
"""

from plugins.proxy.auth import authenticate
from plugins.proxy.hooks import PluginSwitch

agents = PluginSwitch("agents")
breaker = PluginSwitch("breaker")
cache = PluginSwitch("cache")
drift = PluginSwitch("drift")
ledger = PluginSwitch("ledger")
limits = PluginSwitch("limits")
lineage = PluginSwitch("lineage")
metrics = PluginSwitch("metrics")
prompt_caching = PluginSwitch("prompt_caching")
replicas = PluginSwitch("replicas")
review = PluginSwitch("review")
tracing = PluginSwitch("tracing")

__all__ = [
    "agents",
    "authenticate",
    "breaker",
    "cache",
    "drift",
    "ledger",
    "limits",
    "lineage",
    "metrics",
    "prompt_caching",
    "replicas",
    "review",
    "tracing",
]
