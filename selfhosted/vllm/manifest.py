"""What one model needs to be served, as a frozen object; every fault is reported with its path."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal, cast

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

MODELS: Final = Path(__file__).parent / "models"
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class ManifestError(Exception):
    """The manifests cannot be used; the text lists every fault with its path and remedy."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults: Final = list(faults)
        super().__init__("\n".join(self.faults))


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Weights(_Frozen):
    """Which weights, to the very commit: another revision is another model.

    Args:
        repository: on the Hugging Face hub.
        revision: the commit, all 40 digits.
    """

    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str = Field(pattern=r"^[0-9a-f]{40}$")


class Gpu(_Frozen):
    """How a replica uses its GPUs.

    Args:
        memory_share: part of each GPU's memory that vLLM may take, weights and KV cache together.
        tensor_parallel: GPUs over which one replica is spread.
        max_sequences: requests that are worked on at once; more of them wait.
        dtype: of the weights in memory.
        quantisation: as vLLM names it (`fp8`, `awq`, `gptq`, ...); None: as the weights are.
    """

    memory_share: float = Field(default=0.9, gt=0.05, le=0.98)
    tensor_parallel: int = Field(default=1, ge=1, le=64)
    max_sequences: int = Field(default=256, ge=1, le=4096)
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    quantisation: str | None = Field(default=None, pattern=r"^[a-z0-9_]+$")


class Cpu(_Frozen):
    """How a replica runs without a GPU: for trials and tests of the protocol.

    Args:
        context_tokens: prompt and answer together.
        kv_cache_gib: memory for the KV cache.
        max_sequences: requests that are worked on at once.
    """

    context_tokens: int = Field(default=2048, ge=256, le=131_072)
    kv_cache_gib: int = Field(default=1, ge=1, le=1024)
    max_sequences: int = Field(default=32, ge=1, le=1024)


class Tools(_Frozen):
    """How tool calls are read out of the model's text.

    Args:
        parser: vLLM's name for the model family's format.
        strict: what is enforced: `auto` only what a tool marked `strict` asks for (a forced call
            may then have any JSON as its arguments), `function` the call's envelope, `parameter`
            every tool's own schema.
    """

    parser: str = Field(pattern=r"^[a-z0-9_]+$")
    strict: Literal["auto", "function", "parameter"] = "parameter"


class StructuredOutputs(_Frozen):
    """How an answer is held to a schema.

    Args:
        backend: the engine that does it.
        disable_any_whitespace: no whitespace but what JSON needs, so that a model cannot fill an
            answer with blanks.
    """

    backend: Literal["auto", "xgrammar", "guidance", "outlines", "lm-format-enforcer"] = "xgrammar"
    disable_any_whitespace: bool = True


class Replica(_Frozen):
    """One server of the model.

    Args:
        port: where it listens.
        host: the address it binds; loopback unless the gateway runs elsewhere.
        gpus: numbers of the GPUs it may use; empty: whichever vLLM finds.
    """

    port: int = Field(ge=1, le=65_535)
    host: str = "127.0.0.1"
    gpus: tuple[Annotated[int, Field(ge=0, le=127)], ...] = ()

    @property
    def address(self) -> str:
        """Give where this machine reaches it, without a path."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 - compared
        return f"http://{host}:{self.port}"


class Rent(_Frozen):
    """What a replica costs and how much it does: the row of `sluice.prices` for it.

    Args:
        usd_per_hour: of one GPU.
        gpus: that one replica occupies.
        input_tokens_per_s: read at full load.
        output_tokens_per_s: written at full load, all requests together.
        busy_share: part of the rented time in which it works.
        basis: `measured` on this machine, or `expected` until it is.
    """

    usd_per_hour: Decimal = Field(gt=0, allow_inf_nan=False)
    gpus: int = Field(default=1, ge=1, le=1024)
    input_tokens_per_s: int = Field(gt=0)
    output_tokens_per_s: int = Field(gt=0)
    busy_share: Decimal = Field(default=Decimal(1), gt=0, le=1)
    basis: Literal["expected", "measured"]


class Manifest(_Frozen):
    """One model of the self-hosted tier.

    Args:
        group: the model group of `proxy_config.yaml` that it serves, and its first served name.
        also_served_as: further names that it answers to.
        weights: what is loaded.
        task: what it does.
        context_tokens: prompt and answer together, on a GPU.
        gpu: the GPU profile.
        cpu: the CPU profile.
        tools: how tool calls are read; None for a model without.
        chat_template: a file beside the manifest; None: the one that comes with the weights.
        structured_outputs: how schemas are enforced.
        extra_arguments: further arguments of vLLM, as they are.
        replicas: one or several servers.
        rent: what they cost.
    """

    group: _Name
    also_served_as: tuple[_Name, ...] = ()
    weights: Weights
    task: Literal["generate", "embed"] = "generate"
    context_tokens: int = Field(ge=256, le=1_048_576)
    gpu: Gpu = Gpu()
    cpu: Cpu = Cpu()
    tools: Tools | None = None
    chat_template: Path | None = None
    structured_outputs: StructuredOutputs = StructuredOutputs()
    extra_arguments: tuple[str, ...] = ()
    replicas: tuple[Replica, ...] = Field(min_length=1)
    rent: Rent

    @model_validator(mode="after")
    def _gpus_agree(self) -> "Manifest":
        for index, replica in enumerate(self.replicas):
            if replica.gpus and len(replica.gpus) != self.gpu.tensor_parallel:
                raise ValueError(
                    f"replicas.{index}.gpus names {len(replica.gpus)} GPUs and gpu.tensor_parallel"
                    f" is {self.gpu.tensor_parallel}; make them equal"
                )
        if self.rent.gpus != self.gpu.tensor_parallel:
            raise ValueError(
                f"rent.gpus is {self.rent.gpus} and gpu.tensor_parallel {self.gpu.tensor_parallel};"
                " a replica is paid for by the GPUs it occupies, make them equal"
            )
        return self

    @property
    def served_names(self) -> tuple[str, ...]:
        """Give the names it answers to, the group first."""
        return (self.group, *self.also_served_as)


def load(folder: Path = MODELS) -> dict[str, Manifest]:
    """Read and check all manifests of a folder.

    Args:
        folder: with one `*.yaml` a model.

    Returns:
        The manifests by group.

    Raises:
        ManifestError: with every fault of every file.
    """
    faults: list[str] = []
    found: dict[str, Manifest] = {}
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise ManifestError([f"{folder}: holds no *.yaml; name the folder with --models"])
    for path in paths:
        manifest = _read(path, faults)
        if manifest is None:
            continue
        if manifest.group in found:
            faults.append(f"{path.name}: group: {manifest.group!r} has a manifest already")
        found[manifest.group] = manifest
    faults += _clashes(found)
    if faults:
        raise ManifestError(faults)
    return found


def _read(path: Path, faults: list[str]) -> Manifest | None:
    try:
        raw: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        faults.append(f"{path.name}: cannot be read as YAML: {error}")
        return None
    if not isinstance(raw, Mapping):
        faults.append(f"{path.name}: holds no mapping; take another manifest as an example")
        return None
    try:
        manifest = Manifest.model_validate(cast("Mapping[str, object]", raw))
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            where = ".".join(str(part) for part in fault["loc"]) or "the whole file"
            faults.append(f"{path.name}: {where}: {fault['msg']}")
        return None
    template = manifest.chat_template
    if template is None:
        return manifest
    whole = path.parent / template
    if not whole.is_file():
        faults.append(f"{path.name}: chat_template: no file {whole}; put it beside the manifest")
    return manifest.model_copy(update={"chat_template": whole})


def _clashes(manifests: Mapping[str, Manifest]) -> list[str]:
    """Name the ports that two replicas want."""
    faults: list[str] = []
    taken: dict[int, str] = {}
    for group, manifest in manifests.items():
        for index, replica in enumerate(manifest.replicas):
            place = f"{group}: replicas.{index}.port"
            other = taken.setdefault(replica.port, place)
            if other != place:
                faults.append(f"{place}: {replica.port} is taken by {other}; give it another")
    return faults
