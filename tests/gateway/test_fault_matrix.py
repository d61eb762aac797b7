"""Every fault, at the primary and at two tiers together, for every shape of call: nobody notices.

`bench/reliability` holds the cells; `python -m bench.reliability` runs them all with timings.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI

from bench.reliability.farm import NEVER_OPENS, Server, agent, farm, write_config
from bench.reliability.matrix import Cell, Matrix, cells
from bench.reliability.shapes import FRESH, SHAPES, Shape
from tests.gateway.running import MODERATIONS, Gateway, running

ALL = cells()
# Each fault with one shape, each shape with several, both positions; few that wait for a time-out.
CHOSEN = {
    "408 / chat / primary",
    "429 / messages stream / primary and secondary",
    "500 / responses stream / primary",
    "502 / transcription / primary and secondary",
    "503 / embedding / primary",
    "503 / chat stream / primary and secondary",
    "529 / speech / primary and secondary",
    "refused / chat / primary and secondary",
    "refused / chat stream / primary",
    "refused / speech / primary",
    "refused / embedding / primary and secondary",
    "reset / chat stream / primary and secondary",
    "reset / transcription / primary",
    "DNS / chat / primary",
    "DNS / embedding / primary and secondary",
    "TLS / chat / primary and secondary",
    "TLS / speech / primary",
    "no first byte / chat / primary and secondary",
    "no first byte / messages stream / primary",
    "no first byte / speech / primary",
    "silent before content / responses stream / primary",
    "closed before content / chat stream / primary",
    "closed before content / messages stream / primary and secondary",
    "malformed / chat / primary",
    "malformed / messages stream / primary",
    "malformed / embedding / primary",
    "malformed / transcription / primary and secondary",
    "empty / chat / primary",
    "empty / responses stream / primary",
    "empty / embedding / primary and secondary",
    "empty / speech / primary",
    "silent after content / chat stream / primary",
    "closed after content / messages stream / primary",
    "malformed after content / responses stream / primary",
}


@dataclass
class Tiered:
    """A gateway with three tiers of everything, and what stands behind them."""

    gateway: Gateway
    servers: tuple[Server, ...]
    matrix: Matrix


@pytest.fixture(scope="module")
def tiered(new_folder: Callable[[str], Path]) -> Iterator[Tiered]:
    folder = new_folder("matrix")
    with farm(folder) as servers:
        config = write_config(folder / "matrix.yaml", servers, **NEVER_OPENS)
        with running(folder, config=config) as gateway:
            matrix = Matrix(gateway.base_url, gateway.demo_key, servers)
            matrix.warm_up()
            yield Tiered(gateway, servers, matrix)
            matrix.close()


def _held(tiered: Tiered, cell: Cell) -> None:
    result = tiered.matrix.run(cell, 1)
    assert result.failed == [], result.failed[0].body[-500:]


def test_every_fault_and_shape_is_among_the_chosen() -> None:
    chosen = [cell for cell in ALL if cell.label in CHOSEN]
    assert len(chosen) == len(CHOSEN)
    assert {cell.fault.name for cell in chosen} == {cell.fault.name for cell in ALL}
    assert {cell.shape.name for cell in chosen} == {cell.shape.name for cell in ALL}


@pytest.mark.spec("2.10", "8.3")
@pytest.mark.parametrize("cell", [c for c in ALL if c.label in CHOSEN], ids=lambda c: c.label)
def test_no_client_notices(tiered: Tiered, cell: Cell) -> None:
    _held(tiered, cell)


@pytest.mark.torture
@pytest.mark.timeout(900)
@pytest.mark.spec("2.10", "8.3")
@pytest.mark.parametrize("cell", [c for c in ALL if c.label not in CHOSEN], ids=lambda c: c.label)
def test_no_client_notices_in_any_cell(tiered: Tiered, cell: Cell) -> None:
    _held(tiered, cell)


def test_a_failing_provider_is_asked_once_a_call(tiered: Tiered) -> None:
    primary = tiered.servers[0]
    for shape in SHAPES:
        cell = next(c for c in ALL if c.label == f"503 / {shape.name} / primary")
        before = primary.last()
        with tiered.matrix.broken(cell):
            seen = tiered.matrix.ask(shape, cell.agent)
        assert (shape.name, seen.status, primary.last() - before) == (shape.name, 200, 1)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/moderations", {"input": "hello"}),
        ("/v1/completions", {"model": "gpt-4o", "prompt": "hello"}),
        ("/v1/embeddings", {"model": "embedding", "input": "hello"}),
    ],
)
def test_a_failing_provider_without_a_second_tier_is_asked_once_too(
    tiered: Tiered, path: str, body: dict[str, Any]
) -> None:
    gateway, is_check = tiered.gateway, path.endswith(MODERATIONS)
    before = len(gateway.practice_requests(moderation=is_check))
    fault = {"kind": "status", "status": 503, "path": path.removeprefix("/v1")}
    with gateway.faulty("openai", fault):
        answer = gateway.request("POST", path, gateway.demo_key, json=body)
    assert answer.status_code == 502
    assert len(gateway.practice_requests(moderation=is_check)) == before + 1


@pytest.mark.parametrize(
    ("status", "told"), [(400, 400), (409, 400), (413, 413), (415, 400), (422, 400)]
)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_what_is_the_clients_fault_goes_to_no_other_tier(
    tiered: Tiered, shape: Shape, status: int, told: int
) -> None:
    first, second, _ = tiered.servers
    before = first.last(), second.last()
    first.order("openai", [{"kind": "status", "status": status}])
    try:
        seen = tiered.matrix.ask(shape, agent(shape.kind))
    finally:
        first.mend()
    assert (seen.status, seen.attempts) == (told, 1)
    assert (first.last(), second.last()) == (before[0] + 1, before[1])


# --- Where a fault comes after content, the SDKs must understand the end of the stream. ----------
BROKEN_LATE = next(c for c in ALL if c.label == "closed after content / chat stream / primary")
QUESTION: Any = [{"role": "user", "content": "Tell the candidate when the interview takes place."}]


def _openai(tiered: Tiered) -> OpenAI:
    base_url = f"{tiered.gateway.base_url}/v1"
    return OpenAI(
        base_url=base_url, api_key=tiered.gateway.demo_key, max_retries=0, default_headers=FRESH
    )


def _row(tiered: Tiered, call_id: str) -> dict[str, Any]:
    return tiered.gateway.call_row(call_id)


@pytest.mark.spec("11.2")
def test_openais_sdk_raises_at_the_end_and_what_was_used_is_billed(tiered: Tiered) -> None:
    words: list[str] = []
    with _openai(tiered) as client, tiered.matrix.broken(BROKEN_LATE):
        raw = client.chat.completions.with_raw_response.create(
            model=agent("chat"), messages=QUESTION, stream=True
        )
        with pytest.raises(openai.APIError) as caught:
            words.extend(chunk.choices[0].delta.content or "" for chunk in raw.parse())
    assert "".join(words)
    assert caught.value.code == "stream_broken"
    row = _row(tiered, raw.headers["x-sluice-call-id"])
    assert (row["outcome"], row["tier"]) == ("failed", "primary")
    assert row["input_tokens"] > 0
    assert row["output_tokens"] > 0
    assert float(row["cost_usd"]) > 0


def test_openais_sdk_understands_a_broken_response_stream(tiered: Tiered) -> None:
    with _openai(tiered) as client, tiered.matrix.broken(BROKEN_LATE):
        stream = client.responses.create(model=agent("chat"), input="hello", stream=True)
        seen: list[str] = []
        with pytest.raises(openai.APIError, match="not the whole answer"):
            seen.extend(event.type for event in stream)
    assert "response.output_text.delta" in seen
    assert "response.completed" not in seen


def test_anthropics_sdk_raises_at_the_end(tiered: Tiered) -> None:
    client = Anthropic(
        base_url=tiered.gateway.base_url,
        api_key=tiered.gateway.demo_key,
        default_headers=FRESH,
        max_retries=0,
    )
    with client, tiered.matrix.broken(BROKEN_LATE):
        stream = client.messages.create(
            model=agent("chat"), messages=QUESTION, max_tokens=64, stream=True
        )
        seen: list[str] = []
        with pytest.raises(anthropic.APIStatusError):
            seen.extend(event.type for event in stream)
    assert "content_block_delta" in seen
    assert "message_stop" not in seen
