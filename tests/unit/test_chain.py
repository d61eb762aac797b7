"""Laws of the chain: what is hashed before the insert is what is hashed after reading back."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.core.call import Context
from plugins.core.chain import (
    GENESIS,
    IMMUTABLE,
    LAYOUT,
    Misfit,
    Seals,
    canonical,
    commitment,
    row_hash,
)
from plugins.core.verdict import Action, Finding
from plugins.cost.chaining import prepared_of
from plugins.cost.entry import encode
from plugins.lineage.rules import Head, Verifier, Wrong
from plugins.store.tables import ledger
from tests.making import NOON, SEALS, a_call

SALT = bytes(range(16))


def an_entry(**changes: Any) -> dict[str, Any]:
    call = a_call(
        context=Context("jane", "s1", "resume", "r1"),
        findings=[Finding("pii", "card", Action.FLAG, "messages[0]:3", "**42", 0.9)],
        confidence=0.75,
    )
    entry = msgspec.json.decode(encode(call))
    entry |= {"salt": SALT.hex(), "context_digest": "\\x" + commitment(SALT, entry).hex()}
    entry |= {"input_digest": None, "output_digest": None}
    return {**entry, **changes}


def read(entry: dict[str, Any]) -> dict[str, Any]:
    """Give an entry as PostgreSQL's driver gives the row back."""
    row = dict(entry)
    row["started_at"] = datetime.fromisoformat(row["started_at"])
    for name, places in (("audio_s", 3), ("cost_usd", 12), ("saved_usd", 12)):
        row[name] = Decimal(row[name]).quantize(Decimal(1).scaleb(-places))
    row["attempts"] = json.loads(json.dumps(row["attempts"], sort_keys=True))
    row["context_digest"] = bytes.fromhex(row["context_digest"][2:])
    return row


def chained(count: int, tenant: str = "acme") -> list[dict[str, Any]]:
    """Make a sound chain in memory."""
    rows: list[dict[str, Any]] = []
    before = GENESIS
    for seq in range(1, count + 1):
        prepared = prepared_of(
            msgspec.json.decode(encode(a_call(tenant, context=Context(subject=f"s{seq}"))))
        )
        row = {**prepared.row, "seq": seq, "recorded_at": NOON, "prev_hash": before}
        row |= {"erased_at": None, "erasure_id": None}
        row["salt"] = bytes.fromhex(row["salt"][2:])
        row["context_digest"] = bytes.fromhex(row["context_digest"][2:])
        row["hash"] = before = row_hash(before, seq, NOON, prepared.written)
        rows.append(row)
    return rows


def faults_of(rows: list[dict[str, Any]], head: Head | None = None) -> list[tuple[Wrong, int]]:
    verifier = Verifier("acme")
    found = [*verifier.feed(rows), *verifier.finish()]
    if head:
        found += verifier.end(head, SEALS)
    return [(fault.wrong, fault.seq or 0) for fault in found]


def head_of(rows: list[dict[str, Any]]) -> Head:
    seq, last = rows[-1]["seq"], rows[-1]["hash"]
    return Head("acme", seq, last, SEALS.head("acme", seq, last, 0))


def test_the_chain_covers_every_column_of_the_ledger() -> None:
    place = {"seq", "layout", "prev_hash", "hash", "recorded_at"}
    committed = {"subject", "session", "entity_id", "excerpts", "salt"}
    erasure = {"erased_at", "erasure_id"}
    assert {c.name for c in ledger.columns} == place | committed | erasure | set(IMMUTABLE)


def test_an_entry_is_written_as_the_row_that_comes_of_it() -> None:
    entry = an_entry(cost_usd="1.50", audio_s="2")
    assert canonical(entry) == canonical(read(entry))


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    moment=st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001
    hours=st.integers(-12, 12),
    cost=st.decimals(0, 10**9, places=12),
    attempts=_JSON,
)
def test_time_zones_trailing_zeros_and_the_order_of_keys_make_no_difference(
    moment: datetime, hours: int, cost: Decimal, attempts: Any
) -> None:
    utc = moment.replace(tzinfo=UTC)
    elsewhere = utc.astimezone(timezone(timedelta(hours=hours)))
    turned = json.loads(json.dumps(attempts), object_pairs_hook=lambda p: dict(reversed(p)))
    one = an_entry(started_at=utc.isoformat(), cost_usd=f"{cost:f}", attempts=attempts)
    two = an_entry(
        call_id=one["call_id"],
        started_at=elsewhere,
        cost_usd=cost.normalize(),
        attempts=turned,
        trace_id=one["trace_id"],
    )
    assert canonical(one) == canonical(two)


@given(name=st.sampled_from(sorted(IMMUTABLE)))
def test_another_value_in_any_column_is_another_hash(name: str) -> None:
    entry = an_entry()
    value = entry[name]
    others: dict[type, Any] = {int: 7, bool: not value, list: [1], dict: {"a": 1}, float: 0.5}
    other = others.get(type(value), "\\x00" if name.endswith("digest") else "9")
    if name == "call_id":
        other = "0" + value[1:] if value[0] != "0" else "1" + value[1:]
    if name == "started_at":
        other = "2020-01-01T00:00:00+00:00"
    if value is None and name in {"confidence", "first_byte_ms"}:
        other = 3
    changed = {**entry, name: other}
    written, rewritten = canonical(entry), canonical(changed)
    assert row_hash(GENESIS, 1, NOON, written) != row_hash(GENESIS, 1, NOON, rewritten)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("started_at", "yesterday"),
        ("started_at", "2026-01-01T00:00:00"),
        ("call_id", "no uuid"),
        ("input_tokens", "3"),
        ("input_tokens", True),
        ("input_tokens", 2**64),
        ("cost_usd", "a lot"),
        ("stream", 1),
        ("agent", 5),
        ("confidence", float("nan")),
        ("input_digest", "no hex"),
    ],
)
def test_a_value_that_its_column_cannot_hold_is_named_by_its_column(name: str, value: Any) -> None:
    named = "an integer" if value == 2**64 else name
    with pytest.raises(Misfit, match=f"^{named}$"):
        canonical(an_entry(**{name: value}))


def test_a_commitment_needs_its_salt_and_every_personal_column() -> None:
    entry = an_entry()
    made = commitment(SALT, entry)
    assert commitment(SALT, entry) == made
    assert commitment(bytes(16), entry) != made
    for name in ("subject", "session", "entity_id", "excerpts"):
        assert commitment(SALT, {**entry, name: None}) != made


def test_a_settlement_of_an_older_release_is_chained_like_any_other() -> None:
    entry = msgspec.json.decode(encode(a_call()))
    for name in ("trace_id", "findings", "excerpts", "variants", "verdict", "confidence"):
        del entry[name]
    row = prepared_of(entry).row
    assert (row["findings"], row["verdict"], row["layout"]) == ([], "allow", LAYOUT)


def test_a_sound_chain_has_no_fault() -> None:
    rows = chained(30)
    assert faults_of(rows, head_of(rows)) == []


@given(data=st.data())
def test_one_changed_deleted_swapped_or_doubled_row_is_found_at_its_place(
    data: st.DataObject,
) -> None:
    rows = chained(12)
    head = head_of(rows)
    at = data.draw(st.integers(0, 11))
    how = data.draw(st.sampled_from(["change", "delete", "swap", "double", "rewrite"]))
    if how == "change":
        rows[at] = {**rows[at], "output_tokens": 151}
        assert faults_of(rows, head) == [(Wrong.CHANGED, at + 1)]
    elif how == "delete":
        del rows[at]
        assert faults_of(rows, head) == [(Wrong.CUT if at == 11 else Wrong.MISSING, at + 1)]
    elif how == "swap":
        other = data.draw(st.integers(0, 11).filter(lambda n: n != at))
        rows[at]["seq"], rows[other]["seq"] = other + 1, at + 1
        rows.sort(key=lambda row: row["seq"])
        found = faults_of(rows, head)
        assert sorted(found) == sorted([(Wrong.REORDERED, at + 1), (Wrong.REORDERED, other + 1)])
    elif how == "double":
        rows.insert(at, {**rows[at], "call_id": a_call().id})
        assert faults_of(rows, head) == [(Wrong.INSERTED, at + 1)]
    else:  # as by one who knows how rows are hashed, and lacks only the secret
        row = {**rows[at], "output_tokens": 151}
        row["hash"] = row_hash(row["prev_hash"], at + 1, NOON, canonical(row))
        rows[at] = row
        assert faults_of(rows, head) == [(Wrong.CHANGED, at + 1)]


def test_a_chain_built_anew_from_a_row_on_is_found_by_its_seal() -> None:
    rows = chained(5)
    other = chained(5)
    forged = Head("acme", 5, other[-1]["hash"], head_of(rows).seal)
    assert faults_of(other, forged) == [(Wrong.UNSEALED, 5)]


def test_a_seal_fits_one_tenant_place_and_hash_and_one_secret() -> None:
    made = SEALS.head("acme", 5, b"h" * 32, 0)
    others = [
        SEALS.head("acm", 5, b"h" * 32, 0),
        SEALS.head("acme", 6, b"h" * 32, 0),
        SEALS.head("acme", 5, b"g" * 32, 0),
        SEALS.head("acme", 5, b"h" * 32, 1),
        Seals("another secret of thirty-two characters").head("acme", 5, b"h" * 32, 0),
    ]
    assert made not in others
    assert len(set(others)) == 5


def test_a_subject_is_named_by_tenant_and_secret() -> None:
    assert SEALS.subject("acme", "jane") != SEALS.subject("globex", "jane")
    assert b"jane" not in SEALS.subject("acme", "jane")
