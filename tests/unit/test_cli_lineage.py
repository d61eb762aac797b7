"""`sluice lineage | erase | export`: wrong options, trees, packs that verify by themselves."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from plugins.cli import app
from plugins.cli.lineage import show
from plugins.lineage.export import _line, _sealed_part, _sha256, verify_pack
from tests.making import SEALS, SECRET
from tests.unit.test_chain import chained

ENVIRON = {"SLUICE_ADMIN_KEY": "sk-a", "SLUICE_URL": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lineage",), "name a call, or a record"),
        (("lineage", "a", "--entity", "resume/1"), "name a call, or a record"),
        (("lineage", "--entity", "resume"), "write it like resume/r-17"),
        (("lineage", "--entity", "/r1"), "write it like resume/r-17"),
        (("export",), "name --tenant, --first, --last and --to"),
        (("export", "--tenant", "a", "--first", "x", "--last", "x", "--to", "d"), "is no day"),
        (("tenants", "set", "a", "--keep-text-days", "some"), "is no number of days"),
        (("export", "reviews", "--first", "x", "--last", "x", "--to", "f"), "is no day"),
        (("erase", "--subject", "a", "--tenant", "b"), "no gateway answers"),
    ],
)
def test_a_wrong_option_is_one_line(arguments: tuple[str, ...], said: str) -> None:
    told = CliRunner().invoke(app, arguments, env=ENVIRON)
    assert told.exit_code == 1
    assert said in told.stderr
    assert told.stderr.count("\n") == 1


def a_shown_call(name: str, *children: str, **changes: Any) -> dict[str, Any]:
    call = {
        "call_id": name,
        "children": list(children),
        "agent": "matching",
        "model_asked": "matching",
        "model_served": "gpt-4o",
        "outcome": "answered",
        "verdict": "allow",
        "entity_type": "resume",
        "entity_id": "r1",
        "erased_at": None,
        "subject": "jane",
        "cost_usd": "0.01",
        "started_at": "2026-11-24T12:00:00+00:00",
        "text": None,
    }
    return call | changes


def test_a_tree_shows_each_call_under_its_parent(capsys: pytest.CaptureFixture[str]) -> None:
    text = {"input": "asked \x1b[31m", "output": "told"}
    calls = [
        a_shown_call("c1", "c2", "c3"),
        a_shown_call("c2", verdict="flag", text=text),
        a_shown_call("c3", erased_at="2026-11-24T12:00:00+00:00", entity_id=None, subject=None),
    ]
    show({"roots": ["c1"], "calls": calls, "truncated": True})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("matching  gpt-4o  answered  resume/r1  jane  $0.01")
    assert lines[0].endswith("c1")
    assert "answered, flag" in lines[1]
    assert lines[2].endswith("input: asked  [31m")
    assert "erased" in lines[4]
    assert lines[-1] == "3 calls, and more"


def test_calls_in_a_circle_are_drawn_once(capsys: pytest.CaptureFixture[str]) -> None:
    calls = [a_shown_call("c1", "c2"), a_shown_call("c2", "c1")]
    show({"roots": ["c1"], "calls": calls, "truncated": False})
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack of places 3 to 8 of a chain of 10."""
    rows = chained(10)
    (tmp_path / "records.jsonl").write_bytes(b"".join(map(_line, rows[2:8])))
    (tmp_path / "erasures.jsonl").write_bytes(b"")
    manifest: dict[str, Any] = {
        "format": "sluice audit pack 1",
        "tenant_id": "acme",
        "records": 6,
        "from_seq": 3,
        "to_seq": 8,
        "before": rows[2]["prev_hash"].hex(),
        "heads": {"acme": {"seq": 10, "hash": rows[9]["hash"].hex(), "seal": "", "unchained": 0}},
        "files": {name: _sha256(tmp_path / name) for name in ("records.jsonl", "erasures.jsonl")},
    }
    manifest["seal"] = SEALS.manifest(_sealed_part(manifest)).hex()
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


def _resealed(pack: Path, **changes: Any) -> None:
    """Do what who lacks the secret can do to a manifest: make its own digests fit."""
    path = pack / "manifest.json"
    manifest = json.loads(path.read_text()) | changes
    manifest["files"] = {
        name: hashlib.sha256((pack / name).read_bytes()).hexdigest() for name in manifest["files"]
    }
    path.write_text(json.dumps(manifest))


def test_a_pack_as_it_was_written_verifies_with_and_without_the_secret(pack: Path) -> None:
    assert verify_pack(pack) == (6, [])
    assert verify_pack(pack, SEALS) == (6, [])
    told = CliRunner().invoke(app, ("export", "verify", str(pack)), env={"SLUICE_SECRET": SECRET})
    assert (told.exit_code, told.stdout) == (0, "6 records: as they were written; its seal fits\n")


def _records(pack: Path) -> list[str]:
    return (pack / "records.jsonl").read_text().splitlines()


def _write(pack: Path, lines: list[str]) -> None:
    (pack / "records.jsonl").write_text("".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("changed", "changed: row 5"),
        ("removed", "row 5 is missing"),
        ("swapped", "reordered: row 5"),
        ("cut", "has 5 records up to row 7"),
        ("before", "changed: row 3"),
    ],
)
def test_whatever_is_done_to_the_records_is_found_although_the_digests_are_mended(
    pack: Path, how: str, said: str
) -> None:
    lines = _records(pack)
    if how == "changed":
        lines[2] = lines[2].replace('"output_tokens": 150', '"output_tokens": 1')
    elif how == "removed":
        del lines[2]
    elif how == "swapped":
        lines[2], lines[3] = lines[3], lines[2]
    elif how == "cut":
        del lines[-1]
    _write(pack, lines)
    _resealed(pack, **({"before": "00" * 32} if how == "before" else {}))
    _, wrong = verify_pack(pack)
    assert said in " ".join(wrong)


def test_a_file_or_manifest_that_was_changed_is_found(pack: Path) -> None:
    (pack / "erasures.jsonl").write_text("\n")
    _, wrong = verify_pack(pack)
    assert wrong
    (pack / "erasures.jsonl").write_text("")
    _resealed(pack, last="2030-01-01")
    assert verify_pack(pack) == (6, [])
    assert "its seal does not fit" in verify_pack(pack, SEALS)[1][0]


def test_a_folder_that_is_no_pack_is_named(tmp_path: Path) -> None:
    assert "is no audit pack" in verify_pack(tmp_path)[1][0]
    told = CliRunner().invoke(app, ("export", "verify", str(tmp_path)))
    assert told.exit_code == 1
