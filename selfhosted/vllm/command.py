"""From a manifest to vLLM's command line and environment. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from selfhosted.vllm.manifest import Manifest, Replica

MODULE: Final = "vllm.entrypoints.openai.api_server"
"""Started as a module: vLLM's own `vllm` command looks for a distribution of that very name, which
builds for a CPU do not have."""
QUIET_PATHS: Final = "/health,/metrics"
_HTTP_TRACES: Final = "http/protobuf"
_OWN_KEY: Final = "VLLM_API_KEY"


class Profile(StrEnum):
    """On what a model runs."""

    GPU = "gpu"
    CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator decides at each start.

    Args:
        python: the interpreter of the environment that has vLLM.
        profile: GPU or CPU.
        model_path: weights on this disk, in place of those on the hub.
        traces: where vLLM sends its spans (OTLP over HTTP, such as `http://host:4318/v1/traces`).
        port: in place of the replica's.
    """

    python: str
    profile: Profile = Profile.GPU
    model_path: Path | None = None
    traces: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """How one server is started.

    Args:
        argv: the program and its arguments.
        variables: to be set on top of the operator's own environment.
    """

    argv: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict[str, str])


def command(manifest: Manifest, replica: Replica, options: Options) -> Command:
    """Write the command for one replica.

    Keys never appear in it, since `ps` shows it to everybody: vLLM reads `VLLM_API_KEY` and
    `HF_TOKEN` from the environment it is given.
    """
    argv = (
        options.python,
        "-m",
        MODULE,
        *_weights(manifest, options),
        *_names(manifest, replica, options),
        *_size(manifest, options),
        *_format(manifest),
        *(("--otlp-traces-endpoint", options.traces) if options.traces else ()),
        *manifest.extra_arguments,
    )
    return Command(argv, _variables(manifest, replica, options))


def environment(environ: Mapping[str, str], variables: Mapping[str, str]) -> dict[str, str]:
    """Give the whole environment of a server.

    Args:
        environ: the operator's; the gateway's secrets and the keys of other providers stay behind.
        variables: those of the command.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if name == _OWN_KEY
        or not (
            name.endswith(("_API_KEY", "DATABASE_URL", "REDIS_URL", "_MASTER_KEY"))
            or name.startswith("SLUICE_")
        )
    }
    return kept | dict(variables)


def _weights(manifest: Manifest, options: Options) -> tuple[str, ...]:
    if options.model_path is not None:
        return ("--model", str(options.model_path))
    weights = manifest.weights
    return (
        *("--model", weights.repository),
        *("--revision", weights.revision, "--tokenizer-revision", weights.revision),
    )


def _names(manifest: Manifest, replica: Replica, options: Options) -> tuple[str, ...]:
    return (
        *("--served-model-name", *manifest.served_names),
        *("--host", replica.host, "--port", str(options.port or replica.port)),
        *("--disable-access-log-for-endpoints", QUIET_PATHS),
    )


def _size(manifest: Manifest, options: Options) -> tuple[str, ...]:
    if options.profile is Profile.CPU:
        cpu = manifest.cpu
        context = min(cpu.context_tokens, manifest.context_tokens)
        return (
            *("--max-model-len", str(context), "--max-num-seqs", str(cpu.max_sequences)),
            "--enforce-eager",
        )
    gpu = manifest.gpu
    return (
        *("--max-model-len", str(manifest.context_tokens)),
        *("--max-num-seqs", str(gpu.max_sequences), "--dtype", gpu.dtype),
        *("--gpu-memory-utilization", str(gpu.memory_share)),
        *("--tensor-parallel-size", str(gpu.tensor_parallel)),
        *(("--quantization", gpu.quantisation) if gpu.quantisation else ()),
    )


def _format(manifest: Manifest) -> tuple[str, ...]:
    if manifest.task == "embed":
        return ("--runner", "pooling", "--convert", "embed")
    structured = manifest.structured_outputs.model_dump(mode="json")
    tools = manifest.tools
    return (
        *("--structured-outputs-config", json.dumps(structured, sort_keys=True)),
        # Cached prompt tokens then stand in the usage, where the ledger reads them.
        "--enable-prompt-tokens-details",
        *(("--chat-template", str(manifest.chat_template)) if manifest.chat_template else ()),
        *(
            (
                *("--enable-auto-tool-choice", "--tool-call-parser", tools.parser),
                *("--tool-strict-level", tools.strict),
            )
            if tools
            else ()
        ),
    )


def _variables(manifest: Manifest, replica: Replica, options: Options) -> dict[str, str]:
    found = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}
    if options.model_path is not None:
        found["HF_HUB_OFFLINE"] = "1"
    if options.traces is not None:
        found["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] = _HTTP_TRACES
    if options.profile is Profile.CPU:
        found["VLLM_CPU_KVCACHE_SPACE"] = str(manifest.cpu.kv_cache_gib)
        # Binding to cores needs rights that containers do not give, and several replicas on one
        # machine would all bind to the same.
        found["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
    elif replica.gpus:
        found["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, replica.gpus))
    return found
