"""The self-hosted tier: open weights (Llama, Mistral) served by vLLM, described as data.

`models/` holds one manifest a model: what is served, on which machine, under which name, at what
rent. `manifest.py` reads and checks them, `command.py` turns one into vLLM's command line and
environment (pure), `readiness.py` asks a running server, `serve.py` keeps the servers running,
`measure.py` finds the throughputs that the price per token is made of.

    python -m selfhosted.vllm list               what is described, and what it costs
    python -m selfhosted.vllm check              what is wrong, and what answers
    python -m selfhosted.vllm serve llama-3      start it, warm it up, start it again when it dies
    python -m selfhosted.vllm measure llama-3    tokens a second, as a row for `sluice.prices`

vLLM itself is not among the gateway's dependencies: it belongs into an environment of its own, on
the machine with the GPU (`--python`, or `SLUICE_VLLM_PYTHON`).
"""
