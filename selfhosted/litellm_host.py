"""Runs LiteLLM's own command, imported while the stores are still starting.

`python -m selfhosted.litellm_host <arguments of litellm>`: importing the proxy takes ten seconds
of processor time and needs neither PostgreSQL nor Redis, so `sluice up` starts this first. It goes
on once a line arrives on standard input, and ends when standard input ends first.
"""

import gc
import importlib
import sys


def main() -> None:
    """Import the proxy, wait for the line, and hand over to LiteLLM."""
    gc.disable()  # an import makes 900,000 objects that stay; searching them takes a quarter of it
    importlib.import_module("litellm.proxy.proxy_server")
    command = importlib.import_module("litellm.proxy.proxy_cli")
    gc.enable()
    if not sys.stdin.buffer.readline():
        sys.exit("sluice up ended before the gateway's stores were ready")
    command.run_server()


if __name__ == "__main__":
    main()
