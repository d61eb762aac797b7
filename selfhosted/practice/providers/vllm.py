"""vLLM's OpenAI-compatible server under `/vllm/...`."""

from functools import partial

import msgspec

from selfhosted.practice import catalogue
from selfhosted.practice.prompt import Json
from selfhosted.practice.providers.openai.chat import chat
from selfhosted.practice.providers.openai.completions import completions
from selfhosted.practice.providers.openai.embeddings import embeddings
from selfhosted.practice.providers.openai.flavour import Flavour
from selfhosted.practice.providers.openai.messages import ChatRequest
from selfhosted.practice.schema import as_object
from selfhosted.practice.wire import Call, Handler, Provider, Refused, Reply, Whole, bearer, to_json

MAX_MODEL_LEN = 8192
VERSION = "0.32.0"
_OPEN_PATHS = ("/health", "/metrics", "/version", "/ping")
_TYPES = {400: "BadRequestError", 401: "AuthenticationError", 404: "NotFoundError"}


class VllmChatRequest(ChatRequest, kw_only=True):
    """A chat request with vLLM's own fields for structured outputs, old and new."""

    guided_json: Json | str | None = None
    guided_choice: list[str] | None = None
    structured_outputs: Json | None = None

    @property
    def forced_schema(self) -> Json | None:
        """The schema that the answer must satisfy."""
        wanted: object = self.guided_json or (self.structured_outputs or {}).get("json")
        if isinstance(wanted, str):
            try:
                wanted = msgspec.json.decode(wanted)
            except msgspec.DecodeError as fault:
                raise Refused(400, f"guided_json is no JSON: {fault}") from None
        return as_object(wanted) or None


def no_model(model: str) -> Refused:
    """Refuse a model that is not served."""
    return Refused(404, f"The model `{model}` does not exist.", param="model")


def refuse(fault: Refused) -> Whole:
    """Write a refusal as vLLM does."""
    kind = _TYPES.get(
        fault.status, "BadRequestError" if fault.status < 500 else "InternalServerError"
    )
    error = {
        "message": fault.message,
        "type": kind,
        "param": fault.param,
        "code": fault.status,
    }
    return to_json({"error": error}, fault.status)


def models(call: Call) -> Reply:
    """List the served models."""
    data: list[Json] = [
        {
            "id": name,
            "object": "model",
            "created": call.time_s,
            "owned_by": "vllm",
            "root": name,
            "parent": None,
            "max_model_len": MAX_MODEL_LEN,
            "permission": [],
        }
        for name in catalogue.MODELS["vllm"]
    ]
    return to_json({"object": "list", "data": data})


def health(call: Call) -> Reply:
    """Answer 200 with no body, as vLLM does while its engine lives."""
    del call
    return Whole(b"", 200, ())


def version(call: Call) -> Reply:
    """Tell the version of the protocol."""
    del call
    return to_json({"version": VERSION})


def metrics(call: Call) -> Reply:
    """Write vLLM's main gauges and counters in Prometheus' text format."""
    counts = call.state.tokens["vllm"]
    label = 'model_name="practice",engine="0"'
    running = max(0, call.state.journal.in_flight["vllm"] - 1)
    gauges = {
        "num_requests_running": running,
        "num_requests_waiting": 0,
        "kv_cache_usage_perc": min(1.0, running / 100),
    }
    counters = {
        "prompt_tokens_total": counts["prompt_tokens"],
        "generation_tokens_total": counts["completion_tokens"],
        "num_preemptions_total": 0,
    }
    lines: list[str] = []
    for kind, values in (("gauge", gauges), ("counter", counters)):
        for name, value in values.items():
            lines += [f"# TYPE vllm:{name} {kind}", f"vllm:{name}{{{label}}} {float(value)}"]
    lines.append("# TYPE vllm:request_success_total counter")
    for name, reasons in (("stop", ("stop", "tool_calls")), ("length", ("length",))):
        total = float(sum(counts[f"ended_{reason}"] for reason in reasons))
        lines.append(f'vllm:request_success_total{{{label},finished_reason="{name}"}} {total}')
    text = "\n".join(lines) + "\n"
    return Whole(text.encode(), 200, ((b"content-type", b"text/plain; version=0.0.4"),))


FLAVOUR = Flavour(
    provider="vllm",
    service_tier=None,
    fingerprint=None,
    no_model=no_model,
    chat_decoder=msgspec.json.Decoder(VllmChatRequest),
    extras=True,
)
_ROUTES: dict[tuple[str, str], Handler] = {
    ("POST", "/v1/chat/completions"): partial(chat, flavour=FLAVOUR),
    ("POST", "/v1/completions"): partial(completions, flavour=FLAVOUR),
    ("POST", "/v1/embeddings"): partial(embeddings, flavour=FLAVOUR),
    ("GET", "/v1/models"): models,
    ("GET", "/health"): health,
    ("GET", "/ping"): health,
    ("GET", "/version"): version,
    ("GET", "/metrics"): metrics,
}


def route(method: str, path: str) -> Handler | None:
    """Find the handler of a method and path."""
    return _ROUTES.get((method, path))


def authorised(call: Call) -> bool:
    """Tell whether the request may pass; health and metrics need no key."""
    return call.path in _OPEN_PATHS or bearer(call)


PROVIDER = Provider("vllm", route, refuse, authorised, Refused(401, "Unauthorized"))
