"""Reads a chain from its first row to its last and says what is wrong, and where. Pure."""

import hmac
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final

from plugins.core.chain import (
    GENESIS,
    LAYOUT,
    PERSONAL,
    Misfit,
    Row,
    Seals,
    canonical,
    commitment,
    row_hash,
)

SUMMED: Final = ("input_tokens", "output_tokens", "cost_usd", "saved_usd")
MOST_REMEMBERED: Final = 200
"""Changed rows for which another place is looked for; more than that is no mix-up of places."""


class Wrong(StrEnum):
    """What can be wrong with a chain."""

    CHANGED = "changed"
    MISSING = "missing"
    INSERTED = "inserted"
    REORDERED = "reordered"
    UNERASED = "erased without a record"
    UNSEALED = "head not sealed"
    CUT = "tail cut"
    ROLLED_BACK = "rolled back"
    SUMS = "sums"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Args:
        tenant_id: whose chain.
        wrong: what.
        seq: the place; of several missing rows the first; None where there is none.
        call_id: of the row, where there is one.
        text: the same in words.
    """

    tenant_id: str
    wrong: Wrong
    seq: int | None
    call_id: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain as it is kept.

    Args:
        tenant_id: whose.
        seq: place of the last row.
        hash: its hash.
        seal: of both.
        unchained: rows from before the chain.
    """

    tenant_id: str
    seq: int
    hash: bytes
    seal: bytes
    unchained: int = 0

    def is_sealed(self, seals: Seals) -> bool:
        """Tell whether who has the secret has written it."""
        seal = seals.head(self.tenant_id, self.seq, self.hash, self.unchained)
        return hmac.compare_digest(seal, self.seal)


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure as it is recorded."""

    id: int
    subject: bytes
    by: str
    at: datetime
    calls: int
    seal: bytes


@dataclass(slots=True)
class DailySums:
    """What rows add up to by day, agent and model, to be compared with what is kept of it."""

    sums: dict[tuple[date, str, str], list[Any]] = field(
        default_factory=dict[tuple[date, str, str], list[Any]]
    )

    def add(self, row: Row) -> None:
        """Take a row of the ledger."""
        day = row["started_at"].astimezone(UTC).date()
        self.add_many((day, row["agent"] or "", row["model_served"] or ""), [1, *_amounts(row)])

    def add_many(self, key: tuple[date, str, str], amounts: Sequence[Any]) -> None:
        """Take the sums of many rows: calls, tokens in and out, cost and saving."""
        found = self.sums.get(key)
        if found is None:
            self.sums[key] = list(amounts)
        else:
            for index, amount in enumerate(amounts):
                found[index] += amount

    def faults(
        self, tenant_id: str, kept: Mapping[tuple[date, str, str], Sequence[Any]]
    ) -> Iterator[Fault]:
        """Say which of the kept sums are not those of the rows."""
        for key in sorted(self.sums.keys() | kept.keys()):
            if list(kept.get(key, ())) != self.sums.get(key):
                day, agent, model = key
                text = f"the sums of {day} for {agent or '-'}, {model or '-'} are not its rows'"
                yield Fault(tenant_id, Wrong.SUMS, None, None, text)


def _amounts(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in SUMMED)


@dataclass(slots=True)
class Verifier:
    """Follows one tenant's chain; feed it the rows by place, then ask for the end.

    Args:
        tenant_id: whose.
        recorded: its erasures, by number.
        seq: the place before the first row that will come.
        before: the hash there; None where it is not known.
    """

    tenant_id: str
    recorded: Mapping[int, Erasure] = field(default_factory=dict[int, Erasure])
    seq: int = 0
    before: bytes | None = GENESIS
    erased: Counter[int | None] = field(default_factory=Counter[int | None])
    """Rows of each erasure."""
    rows: int = 0
    _changed: list[tuple[Row, bytes]] = field(default_factory=list[tuple[Row, bytes]])
    _gaps: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    _last: Row | None = None
    _last_sound: bool = True

    def feed(self, rows: Iterable[Row]) -> Iterator[Fault]:
        """Take rows in the order of their places.

        Args:
            rows: with all columns of the ledger; all rows of one place must come together.

        Yields:
            What is wrong, as soon as it is sure.
        """
        for _, group in itertools.groupby(rows, lambda row: row["seq"]):
            yield from self._place(list(group))

    def _place(self, group: Sequence[Row]) -> Iterator[Fault]:
        self.rows += len(group)
        seq: int = group[0]["seq"]
        if seq <= 0:
            for row in group:
                yield self._fault(Wrong.INSERTED, row, "has a place that no row is given")
            return
        if seq <= self.seq:  # only a file can have rows in another order than that of their places
            self._gaps = [gap for gap in self._gaps if gap != (seq, seq)]
            for row in group:
                yield self._fault(Wrong.REORDERED, row, f"stands after row {self.seq}")
            return
        if seq > self.seq + 1:
            self._gaps.append((self.seq + 1, seq - 1))
            self.before = None
        seen = [(row, *_looked_at(row)) for row in group]
        own = next((s for s in seen if s[2] and s[0]["prev_hash"] == self.before), None)
        own = own or next((s for s in seen if s[2]), seen[0])
        for row, _, _ in seen:
            if row is not own[0]:
                yield self._fault(Wrong.INSERTED, row, "stands where another row has its place")
        yield from self._follow(*own)

    def _follow(self, row: Row, written: bytes, sound: bool) -> Iterator[Fault]:
        before, last = self.before, self._last
        if not sound:
            if len(self._changed) < MOST_REMEMBERED:
                self._changed.append((row, written))
            else:
                yield self._fault(Wrong.CHANGED, row, "is not what was recorded")
        else:
            yield from self._personal(row)
            if before is not None and row["prev_hash"] != before and self._last_sound:
                yield self._rewritten(row, last)
        self.erased[row["erasure_id"]] += row["erased_at"] is not None
        self.seq, self.before = row["seq"], bytes(row["hash"])
        self._last, self._last_sound = row, sound

    def _rewritten(self, row: Row, last: Row | None) -> Fault:
        if last is None:
            return self._fault(Wrong.CHANGED, row, "does not follow what came before it")
        text = f"was written anew: row {row['seq']} was chained to another"
        return self._fault(Wrong.CHANGED, last, text)

    def _personal(self, row: Row) -> Iterator[Fault]:
        """See that the personal columns are those that were committed to, or gone for a reason."""
        left = [name for name in PERSONAL if row[name] is not None]
        if row["erased_at"] is not None:
            if left or row["salt"] is not None:
                yield self._fault(Wrong.CHANGED, row, "is erased and holds personal columns again")
            record = self.recorded.get(row["erasure_id"] or 0)
            if record is None or record.at != row["erased_at"]:
                yield self._fault(Wrong.UNERASED, row, "is erased without a record of it")
            return
        if row["erasure_id"] is not None or row["salt"] is None:
            yield self._fault(Wrong.UNERASED, row, "has lost what its personal columns rest on")
        elif commitment(bytes(row["salt"]), row) != row["context_digest"]:
            yield self._fault(Wrong.CHANGED, row, "has other personal columns than were recorded")

    def finish(self) -> Iterator[Fault]:
        """Say what only the whole chain tells: which rows changed their places, or are gone."""
        changed, self._changed = self._changed, []
        places = {row["seq"] for row, _ in changed} | set(self._missing())
        for row, written in changed:
            place = next((seq for seq in places if _is_sound(row, written, seq)), None)
            if place is not None:
                text = f"belongs at place {place}"
                yield self._fault(Wrong.REORDERED, row, text)
            else:
                yield self._fault(Wrong.CHANGED, row, "is not what was recorded")
        for first, last in self._gaps:
            text = f"row {first} is" if first == last else f"rows {first} to {last} are"
            yield Fault(self.tenant_id, Wrong.MISSING, first, None, f"{text} missing")

    def _missing(self) -> Iterator[int]:
        every = (range(first, last + 1) for first, last in self._gaps)
        return itertools.islice(itertools.chain.from_iterable(every), MOST_REMEMBERED)

    def end(self, head: Head | None, seals: Seals) -> Iterator[Fault]:
        """Compare the last row with the head of the chain; after `finish`."""
        if head is None:
            if self.rows:
                yield self._at_end(Wrong.UNSEALED, "has rows and no head")
            return
        if head.seq > self.seq:
            text = f"rows {self.seq + 1} to {head.seq} at its end are missing"
            yield Fault(self.tenant_id, Wrong.CUT, self.seq + 1, None, text)
        elif head.seq < self.seq:
            yield self._at_end(Wrong.INSERTED, f"goes on after its end at place {head.seq}")
        elif self.seq and head.hash != self.before and self._last_sound:
            yield self._at_end(Wrong.CHANGED, "ends otherwise than its head says")
        migrated = not head.seal and not head.seq and head.unchained
        if not migrated and not head.is_sealed(seals):
            yield Fault(
                self.tenant_id, Wrong.UNSEALED, head.seq, None, "has a head with a forged seal"
            )

    def _at_end(self, wrong: Wrong, text: str) -> Fault:
        call_id = str(self._last["call_id"]) if self._last else None
        return Fault(self.tenant_id, wrong, self.seq, call_id, text)

    def _fault(self, wrong: Wrong, row: Row, text: str) -> Fault:
        return Fault(self.tenant_id, wrong, row["seq"], str(row["call_id"]), text)


def erasure_faults(
    tenant_id: str,
    erased: Mapping[int | None, int],
    recorded: Mapping[int, Erasure],
    seals: Seals,
) -> Iterator[Fault]:
    """See that every record of an erasure is as it was written, and covers the rows that name it.

    Args:
        tenant_id: whose.
        erased: rows that say they were erased, by the record that they name.
        recorded: the records, by number.
        seals: the installation's.
    """
    for number, one in recorded.items():
        seal = seals.erasure(tenant_id, one.subject, one.at, one.by, one.calls)
        if not hmac.compare_digest(seal, one.seal):
            text = f"erasure {number} is not what was recorded"
            yield Fault(tenant_id, Wrong.CHANGED, None, None, text)
        elif one.calls != erased.get(number, 0):
            text = f"erasure {number} covers {one.calls} rows, and {erased.get(number, 0)} name it"
            yield Fault(tenant_id, Wrong.UNERASED, None, None, text)


def _looked_at(row: Row) -> tuple[bytes, bool]:
    try:
        written = canonical(row)
    except Misfit:
        return b"", False
    return written, _is_sound(row, written, row["seq"])


def _is_sound(row: Row, written: bytes, seq: int) -> bool:
    if row["layout"] != LAYOUT:
        return False
    made = row_hash(bytes(row["prev_hash"]), seq, row["recorded_at"], written)
    return hmac.compare_digest(made, bytes(row["hash"]))


def read_back(record: Mapping[str, Any]) -> dict[str, Any]:
    """Give a row of an export as the ledger has it."""
    row = dict(record)
    for name in ("prev_hash", "hash", "context_digest", "salt"):
        if row[name] is not None:
            row[name] = bytes.fromhex(row[name].removeprefix("\\x"))
    row["recorded_at"] = datetime.fromisoformat(row["recorded_at"])
    return row
