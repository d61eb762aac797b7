"""All workers' values as one text, in Prometheus' format or OpenMetrics'.

The values of all workers are added up by their keys, which are the same in every file, and a key is
read only once in a worker's life: prometheus_client's own merge reads each of them in each file at
each scrape and leaves the exemplars out. Its parsers are what the tests read this text with.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from prometheus_client.exposition import choose_encoder
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.utils import (
    floatToGoString,  # pyright: ignore[reportUnknownVariableType] - not fully annotated
)

from plugins.core.metrics import ABSENT, Merge
from plugins.metrics.exemplars import Exemplar, exemplars_in
from plugins.metrics.slots import exemplars_of, live_files

KEYS: Final = 20_000
"""Keys that are remembered as read; more than a gateway has."""
_OPEN_METRICS: Final = "application/openmetrics-text"
_ESCAPED: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


class _Key(NamedTuple):
    """What a file's key says.

    Args:
        family: its name.
        name: of the sample.
        labels: as they are printed, without a bucket's bound and without braces.
        bound: a bucket's, or None.
        help: of the family.
    """

    family: str
    name: str
    labels: str
    bound: str | None
    help: str


@lru_cache(maxsize=KEYS)
def _read(key: str) -> _Key:
    family, name, labels, explained = json.loads(key)
    bound = labels.pop("le", None)
    told = ",".join(f'{k}="{v.translate(_ESCAPED)}"' for k, v in sorted(labels.items()))
    return _Key(family, name, told, bound, explained)


@dataclass(slots=True)
class _Worth:
    """All workers' values by key: of one kind of family."""

    values: dict[str, float] = field(default_factory=dict[str, float])
    exemplars: dict[str, Exemplar] = field(default_factory=dict[str, Exemplar])


def exposition(folder: Path, accept: str) -> tuple[bytes, str]:
    """Read all workers' files; takes milliseconds, so not on the event loop.

    Args:
        folder: where the workers' files are.
        accept: what the client takes; OpenMetrics, with exemplars, when it asks for it.

    Returns:
        The text and its content type.
    """
    _, content_type = choose_encoder(accept)
    is_open = content_type.startswith(_OPEN_METRICS)
    families: list[tuple[str, str]] = []
    for kind, worth in _collect(folder, exemplars=is_open).items():
        for name, group in _by_family(worth).items():
            families.append((name, "".join(_family(name, kind, group, worth, is_open=is_open))))
    text = "".join(told for _, told in sorted(families))
    return (text + "# EOF\n" if is_open else text).encode(), content_type


def _collect(folder: Path, *, exemplars: bool) -> Mapping[str, _Worth]:
    """Add all workers' values up, by kind of family."""
    found = {"counter": _Worth(), "gauge": _Worth(), "histogram": _Worth()}
    for path in live_files(folder):
        kind, number = path.stem.rsplit("_", 1)
        most = kind == f"gauge_{Merge.MOST}"
        worth = found[kind.partition("_")[0]]
        traced = {}
        if exemplars and kind == "histogram":
            traced = exemplars_in(exemplars_of(folder, number))
        values = worth.values
        for key, value, _, place in _entries(path):
            held = values.get(key)
            if held is None:
                values[key] = value
            else:
                values[key] = max(held, value) if most else held + value
            if place in traced:
                _keep_newest(worth.exemplars, key, traced[place])
    gauges = found["gauge"]
    gauges.values = {key: value for key, value in gauges.values.items() if value != ABSENT}
    return found


def _entries(path: Path) -> Iterable[tuple[str, float, float, int]]:
    """Read a worker's file; one that a worker makes, or takes away, at this moment has nothing."""
    try:
        if path.stat().st_size:
            return cast("Any", MmapedDict).read_all_values_from_file(str(path))
    except FileNotFoundError:
        pass  # the gauges of a place that has just been taken over
    return ()


def _keep_newest(kept: dict[str, Exemplar], key: str, new: Exemplar) -> None:
    held = kept.get(key)
    if held is None or held.at_s < new.at_s:
        kept[key] = new


def _by_family(worth: _Worth) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key in worth.values:
        groups.setdefault(_read(key).family, []).append(key)
    return groups


def _family(
    name: str, kind: str, keys: list[str], worth: _Worth, *, is_open: bool
) -> Iterator[str]:
    """Write a family with all its samples."""
    shown = f"{name}_total" if kind == "counter" and not is_open else name
    explained = _read(keys[0]).help.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {shown} {explained}\n# TYPE {shown} {kind}\n"
    if kind == "histogram":
        yield from _histogram(name, keys, worth)
        return
    for key in keys:
        read = _read(key)
        yield _line(read.name, read.labels, worth.values[key])


def _histogram(name: str, keys: list[str], worth: _Worth) -> Iterator[str]:
    """Write each label set's buckets, which count all that is below their bound."""
    sums: dict[str, float] = {}
    buckets: dict[str, list[tuple[float, str]]] = {}
    for key in keys:
        read = _read(key)
        if read.bound is None:
            sums[read.labels] = worth.values[key]
        else:
            buckets.setdefault(read.labels, []).append((float(read.bound), key))
    for labels, own in buckets.items():
        count = 0.0
        for _, key in sorted(own):
            count += worth.values[key]
            yield _bucket(name, _read(key), count, worth.exemplars.get(key))
        yield _line(f"{name}_count", labels, count)
        yield _line(f"{name}_sum", labels, sums.get(labels, 0.0))


def _bucket(name: str, key: _Key, count: float, exemplar: Exemplar | None) -> str:
    labels = f'{key.labels},le="{key.bound}"' if key.labels else f'le="{key.bound}"'
    line = _line(f"{name}_bucket", labels, count)
    if exemplar is None:
        return line
    value = floatToGoString(exemplar.value)
    return f'{line[:-1]} # {{trace_id="{exemplar.trace_id}"}} {value} {exemplar.at_s:.3f}\n'


def _line(name: str, labels: str, value: float) -> str:
    shown = f"{{{labels}}}" if labels else ""
    return f"{name}{shown} {floatToGoString(value)}\n"
