"""A decision's way through a running gateway: parse, embed, match, explain, decide."""

import json
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.gateway.running import UNCACHED, Gateway, eventually, running
from tests.gateway.test_cli_live import refused, sluice, told

WORKERS = 2
STEPS = ("resume_parsing", "embedding", "matching", "explanation", "decision")


def _headers(case: str, parent: str | None) -> dict[str, str]:
    named = {
        "x-sluice-subject": f"candidate-{case}",
        "x-sluice-entity-type": "resume",
        "x-sluice-entity-id": f"resume-{case}",
    }
    if parent:
        # Only the first call says whom it is about: the others hang on it.
        named = {"x-sluice-parent-call-id": parent}
    return UNCACHED | named


def decide(gateway: Gateway, key: str, case: str) -> list[str]:
    """Take one candidate through all steps with OpenAI's SDK; gives the calls' identifiers."""
    client = openai.OpenAI(base_url=f"{gateway.base_url}/v1", api_key=key, max_retries=0)
    calls: list[str] = []
    for agent in STEPS:
        headers = _headers(case, calls[-1] if calls else None)
        said = f"{agent} for candidate-{case}"
        if agent == "embedding":
            raw = client.embeddings.with_raw_response.create(
                model=agent, input=said, extra_headers=headers
            )
        else:
            raw = client.chat.completions.with_raw_response.create(
                model=agent,
                messages=[{"role": "user", "content": said}],
                extra_headers=headers,
            )
        calls.append(raw.headers["x-sluice-call-id"])
    gateway.call_row(calls[-1])
    for call_id in calls:
        gateway.call_row(call_id)
    return calls


def tree(gateway: Gateway, key: str, path: str, **asked: Any) -> dict[str, Any]:
    answer = gateway.request("GET", f"/sluice/lineage/{path}", key, params=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def keep_text(gateway: Gateway, tenant: str, key: str, days: int) -> None:
    """Switch keeping on or off, and wait until both workers know."""
    told(gateway, "tenants", "set", tenant, "--keep-text-days", str(days))

    def kept() -> set[tuple[int, bool]]:
        answers = [gateway.chat(key, messages=[{"role": "user", "content": "?"}]) for _ in range(8)]
        ids = [answer.headers["x-sluice-call-id"] for answer in answers]
        for call_id in ids:
            gateway.call_row(call_id)
        trees = [tree(gateway, key, call_id, text=True)["calls"][0] for call_id in ids]
        texts = [call["text"] is not None for call in trees]
        return set(zip(map(gateway.worker, ids), texts, strict=True))

    # All eight may have gone to one worker.
    eventually(kept, lambda found: [text for _, text in found] == [days > 0] * WORKERS, 60)


@pytest.fixture(scope="module")
def tenant(gateway: Gateway) -> tuple[str, str]:
    name = gateway.new_tenant()
    return name, gateway.new_key(name)


@pytest.mark.spec("8.4", "14.1")
def test_a_decision_is_traced_back_to_the_resume_by_call_and_by_record(
    gateway: Gateway, tenant: tuple[str, str]
) -> None:
    case = uuid.uuid4().hex[:8]
    calls = decide(gateway, tenant[1], case)
    by_call = tree(gateway, tenant[1], calls[2])
    assert [call["agent"] for call in by_call["calls"]] == list(STEPS)
    assert [call["depth"] for call in by_call["calls"]] == [0, 1, 2, 3, 4]
    assert by_call["roots"] == [calls[0]]
    assert by_call["truncated"] is False
    assert [call["children"] for call in by_call["calls"]] == [*([c] for c in calls[1:]), []]
    assert all(call["hash"] and call["seq"] > 0 for call in by_call["calls"])
    assert all(call["input_digest"] and call["output_digest"] for call in by_call["calls"])
    assert all(call["text"] is None for call in by_call["calls"])
    by_record = tree(gateway, tenant[1], f"entity/resume/resume-{case}")
    assert by_record == by_call
    assert tree(gateway, gateway.admin_key, f"entity/resume/resume-{case}") == by_call
    assert tree(gateway, gateway.admin_key, calls[4]) == by_call


def test_a_tenant_sees_its_own_trees_alone(gateway: Gateway, tenant: tuple[str, str]) -> None:
    case = uuid.uuid4().hex[:8]
    calls = decide(gateway, tenant[1], case)
    stranger = gateway.new_key()
    # It may claim another tenant's call as a parent; that gives it nothing.
    mine = gateway.chat(stranger, headers={"x-sluice-parent-call-id": calls[0]})
    own = mine.headers["x-sluice-call-id"]
    gateway.call_row(own)
    assert [c["call_id"] for c in tree(gateway, stranger, own)["calls"]] == [own]
    assert own not in [c["call_id"] for c in tree(gateway, tenant[1], calls[0])["calls"]]
    for path, code in (
        (calls[0], "call_not_found"),
        (f"entity/resume/resume-{case}", "entity_not_found"),
    ):
        answer = gateway.request("GET", f"/sluice/lineage/{path}?text=true", stranger)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)
    answer = gateway.request(
        "GET", f"/sluice/lineage/entity/resume/x?tenant_id={tenant[0]}", stranger
    )
    assert answer.status_code == 403
    order = {"tenant_id": tenant[0], "subject": "x"}
    answer = gateway.request("POST", "/sluice/erasures", tenant[1], json=order)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "admin_key_required")


def test_the_tree_is_drawn_for_people(gateway: Gateway, tenant: tuple[str, str]) -> None:
    case = uuid.uuid4().hex[:8]
    calls = decide(gateway, tenant[1], case)
    done = sluice(gateway, "lineage", calls[3])
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [call_id in line for call_id, line in zip(calls, lines, strict=False)] == [True] * 5
    assert "resume_parsing" in lines[0]
    assert f"candidate-{case}" in lines[0]
    assert lines[-1] == "5 calls"
    assert told(gateway, "lineage", "--entity", f"resume/resume-{case}")["roots"] == [calls[0]]
    assert "name a call, or a record" in refused(gateway, "lineage")


@pytest.mark.spec("14.1")
@pytest.mark.parametrize("stream", [False, True])
def test_text_is_kept_as_it_was_delivered_where_the_tenant_says_so(
    gateway: Gateway, stream: bool
) -> None:
    name = gateway.new_tenant()
    key = gateway.new_key(name)
    keep_text(gateway, name, key, 7)
    asked = {"messages": [{"role": "user", "content": "wörds that are kept"}], "stream": stream}
    answer = gateway.chat(key, **asked)
    call_id = answer.headers["x-sluice-call-id"]
    gateway.call_row(call_id)
    [call] = tree(gateway, key, call_id, text=True)["calls"]
    assert json.loads(call["text"]["input"])["messages"] == asked["messages"]
    assert call["text"]["output"] == answer.text
    assert call["text"]["whole"] is True
    assert tree(gateway, key, call_id)["calls"][0]["text"] is None
    keep_text(gateway, name, key, 0)


def test_a_recalled_answers_text_is_kept_too(gateway: Gateway) -> None:
    name = gateway.new_tenant()
    key = gateway.new_key(name)
    keep_text(gateway, name, key, 7)
    said = uuid.uuid4().hex
    ids: list[str] = []
    for _ in range(2):
        answer = gateway.chat(
            key, messages=[{"role": "user", "content": said}], headers={"cache-control": ""}
        )
        ids.append(answer.headers["x-sluice-call-id"])
    assert answer.headers["x-sluice-cache"] == "hit"
    gateway.call_row(ids[1])
    [call] = tree(gateway, key, ids[1], text=True)["calls"]
    assert (call["cache"], call["text"]["output"]) == ("hit", answer.text)


@pytest.mark.spec("14.2")
def test_an_erased_candidate_leaves_figures_and_a_chain_that_verifies(gateway: Gateway) -> None:
    name = gateway.new_tenant()
    key = gateway.new_key(name)
    keep_text(gateway, name, key, 7)
    case = uuid.uuid4().hex[:8]
    calls = decide(gateway, key, case)
    cached = gateway.chat(
        key,
        messages=[{"role": "user", "content": case}],
        headers={"cache-control": "", "x-sluice-subject": f"candidate-{case}"},
    )
    gateway.call_row(cached.headers["x-sluice-call-id"])
    spent = gateway.request("GET", "/sluice/spend", key).json()["cost_usd"]
    order = ("--subject", f"candidate-{case}", "--tenant", name)
    counted = told(gateway, "erase", *order, "--dry-run")
    reviewed = counted.pop("said")  # what a check has flagged waits in the review queue
    assert counted == {
        "tenant_id": name, "calls": 6, "texts": 6, "cached": 1, "rejects": 0, "dry_run": True,
    }  # fmt: skip
    counted["said"] = reviewed
    assert told(gateway, "erase", *order) == counted | {"dry_run": False}
    again = told(gateway, "erase", *order)
    assert (again["calls"], again["texts"], again["cached"]) == (0, 0, 0)
    after = tree(gateway, key, calls[0], text=True)
    assert len(after["calls"]) == 5
    assert case not in json.dumps(after)
    assert all(call["erased_at"] and call["text"] is None for call in after["calls"])
    assert "erased" in sluice(gateway, "lineage", calls[0]).stdout
    assert gateway.request("GET", "/sluice/spend", key).json()["cost_usd"] == spent
    assert _checked(gateway, "--tenant", name).returncode == 0


def _checked(gateway: Gateway, *more: str) -> subprocess.CompletedProcess[str]:
    return sluice(gateway, "check", "--chain", "--data-dir", str(gateway.data_dir), *more)


@pytest.mark.spec("14.2")
def test_the_chain_is_checked_and_an_audit_pack_written_and_verified(
    gateway: Gateway, tenant: tuple[str, str], tmp_path: Path
) -> None:
    decide(gateway, tenant[1], uuid.uuid4().hex[:8])
    done = _checked(gateway)
    assert done.returncode == 0, done.stdout
    assert "nothing was changed, removed or inserted" in done.stdout
    pack = tmp_path / "pack"
    days = ("--first", "2020-01-01", "--last", "2099-01-01")
    whose = ("--tenant", tenant[0], "--to", str(pack), "--data-dir", str(gateway.data_dir))
    manifest = told(gateway, "export", *whose, *days)
    assert manifest["records"] == manifest["to_seq"] >= 5
    assert _checked(gateway, "--against", str(pack)).returncode == 0
    done = sluice(gateway, "export", "verify", str(pack))
    assert done.returncode == 0, done.stdout
    lines = (pack / "records.jsonl").read_text().splitlines()
    (pack / "records.jsonl").write_text("\n".join([lines[0], *lines[2:], ""]))
    done = sluice(gateway, "export", "verify", str(pack))
    assert done.returncode == 1
    assert "row 2 is missing" in done.stdout
    forged = json.loads((pack / "manifest.json").read_text())
    forged["heads"][tenant[0]]["hash"] = "00" * 32
    (pack / "manifest.json").write_text(json.dumps(forged))
    done = _checked(gateway, "--against", str(pack))
    assert done.returncode == 1
    assert "rolled back" in done.stdout


def test_an_identifier_that_is_none_is_refused_in_the_house_shape(gateway: Gateway) -> None:
    answer = gateway.admin("GET", "/sluice/lineage/no-uuid")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    answer = gateway.admin("GET", f"/sluice/lineage/{uuid.uuid4()}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "call_not_found")
    order = {"tenant_id": "nobody-here", "subject": "x"}
    answer = gateway.admin("POST", "/sluice/erasures", json=order)
    assert answer.status_code == 404


def test_with_the_plugin_off_rows_are_chained_all_the_same(
    new_folder: Callable[[str], Path],
) -> None:
    import yaml

    from tests.gateway.running import ROOT

    folder = new_folder("unwitnessed")
    config = yaml.safe_load((ROOT / "proxy_config.yaml").read_text())
    config["litellm_settings"]["callbacks"].remove("plugins.callbacks.lineage")
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with running(folder, config=folder / "config.yaml") as gateway:
        answer: httpx.Response = gateway.chat()
        row = gateway.call_row(answer.headers["x-sluice-call-id"])
        assert (row["seq"] > 0, row["input_digest"]) == (True, None)
        assert _checked(gateway).returncode == 0
