"""Exemplars and the merge of all workers' files, read with prometheus_client's own parsers."""

import itertools
import multiprocessing
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain

from plugins.core.metrics import Counter, Gauge, Histogram, Merge
from plugins.metrics import exemplars, files, slots
from plugins.metrics.exemplars import ExemplarFile, exemplars_in
from plugins.metrics.exposition import exposition
from plugins.metrics.files import FileMetrics

OPEN = "application/openmetrics-text; version=1.0.0"
HITS = Counter("hits_total", "Hits", ("who", "how"))
QUEUE = Gauge("queue", "A queue that each worker has", (), merge=Merge.SUM)
STATE = Gauge("state", 'What "all" see\\alike', ("who",))
WAIT = Histogram("wait_seconds", "A wait", ("who",), bounds=(0.1, 1.0))
A, B, C = (letter * 32 for letter in "abc")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FILE_BYTES", 1 << 16)


class SetTime:
    """Gives the time that it was told last."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def traced(folder: Path) -> dict[tuple[str, str], tuple[str, float, float]]:
    """Trace, value and time by label and bound."""
    return {
        (sample.labels["who"], sample.labels["le"]): (
            sample.exemplar.labels["trace_id"],
            sample.exemplar.value,
            float(sample.exemplar.timestamp),
        )
        for family in open_metrics(exposition(folder, OPEN)[0].decode())
        for sample in family.samples
        if sample.exemplar
    }


def test_each_bucket_shows_its_newest_trace_whichever_worker_had_it(
    tmp_path: Path,
) -> None:
    time = SetTime()
    a, b = (FileMetrics(slots.take(tmp_path), time) for _ in range(2))
    for at_s, worker, value, trace, who in (
        (1_001.5, b, 0.05, A, "x"),
        (1_000.5, a, 0.06, B, "x"),  # older, though written later
        (1_002.5, a, 0.5, B, "x"),
        (1_003.5, a, 0.6, C, "x"),
        (1_004.5, b, 0.7, "", "x"),  # a value without a trace takes none away
        (1_005.5, b, 9.0, A, "y"),
    ):
        time.now_s = at_s
        worker.observe(WAIT, value, who, trace_id=trace)
    assert traced(tmp_path) == {
        ("x", "0.1"): (A, 0.05, 1_001.5),
        ("x", "1.0"): (C, 0.6, 1_003.5),
        ("y", "+Inf"): (A, 9.0, 1_005.5),
    }


@pytest.mark.parametrize("trace", ["", "abc", "z" * 32, "a" * 31, "a" * 34, 'a"}\n'])
def test_what_is_no_trace_is_no_exemplar_and_counts_all_the_same(
    tmp_path: Path, trace: str
) -> None:
    worker = FileMetrics(slots.take(tmp_path))
    worker.observe(WAIT, 0.5, "x", trace_id=trace)
    assert traced(tmp_path) == {}
    assert b'wait_seconds_count{who="x"} 1.0' in exposition(tmp_path, OPEN)[0]


def test_prometheus_own_format_has_no_exemplars(tmp_path: Path) -> None:
    worker = FileMetrics(slots.take(tmp_path))
    worker.observe(WAIT, 0.5, "x", trace_id=A)
    text, content_type = exposition(tmp_path, "text/plain")
    assert b"trace_id" not in text
    assert b"# EOF" not in text
    assert content_type.startswith("text/plain")


def test_a_successor_keeps_the_traces_of_the_last_one_and_a_new_gateway_none(
    tmp_path: Path,
) -> None:
    time = SetTime()
    first, other = (FileMetrics(slots.take(tmp_path), time) for _ in range(2))
    first.observe(WAIT, 0.5, "x", trace_id=A)
    first.observe(WAIT, 0.05, "x", trace_id=B)
    first.close()
    second = FileMetrics(slots.take(tmp_path), time)
    time.now_s = 1_010.0
    second.observe(WAIT, 0.6, "x", trace_id=C)
    assert traced(tmp_path) == {("x", "0.1"): (B, 0.05, 1_000.0), ("x", "1.0"): (C, 0.6, 1_010.0)}
    second.close()
    other.close()
    FileMetrics(slots.take(tmp_path)).observe(WAIT, 0.5, "x")
    assert traced(tmp_path) == {}


def test_a_record_that_is_half_written_is_left_out_and_the_others_are_not(tmp_path: Path) -> None:
    path = tmp_path / "traces"
    written = ExemplarFile(path, now_s=lambda: 5.0)
    for place in (8, 16, 24):
        written.note(place, A, 0.5)
    content = bytearray(path.read_bytes())
    content[44 + 10] ^= 0xFF
    path.write_bytes(content)
    assert set(exemplars_in(path)) == {8, 24}
    successor = ExemplarFile(path, now_s=lambda: 6.0)
    successor.note(16, B, 0.7)
    assert {place: found.trace_id for place, found in exemplars_in(path).items()} == {
        8: A,
        16: B,
        24: A,
    }


def test_there_are_never_more_records_than_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exemplars, "MOST", 3)
    written = ExemplarFile(tmp_path / "traces", now_s=lambda: 5.0)
    for place in range(8, 80, 8):
        written.note(place, A, 0.5)
    written.note(8, B, 0.5)
    found = exemplars_in(tmp_path / "traces")
    assert {place: one.trace_id for place, one in found.items()} == {8: B, 16: A, 24: A}
    assert exemplars_in(tmp_path / "none") == {}


def test_a_worker_that_comes_or_goes_meanwhile_fails_no_scrape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = FileMetrics(slots.take(tmp_path))
    worker.add(HITS, "x", "y")
    (tmp_path / "counter_7.db").touch()  # made, and not yet of its size
    there = list(slots.live_files(tmp_path))
    gone = tmp_path / "gauge_livemax_8.db"  # there when looked for, and gone when opened
    monkeypatch.setattr("plugins.metrics.exposition.live_files", lambda _: [*there, gone])
    text = exposition(tmp_path, OPEN)[0].decode()
    assert _samples(text, is_open=True)["hits_total", frozenset({("who", "x"), ("how", "y")})] == 1


def _observe_for_ever(folder: Path, ready: "multiprocessing.synchronize.Event") -> None:
    """Observe values whose traces say the value, in as many buckets as there are."""
    worker = FileMetrics(slots.take(folder))
    for number in itertools.count(1):
        value = (number % 2_000) / 1_000
        worker.observe(WAIT, value, "xyz"[number % 3], trace_id=f"{number % 2_000:032x}")
        if number == 10_000:
            ready.set()


def test_no_exemplar_is_ever_read_in_halves_while_workers_write(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    ready = [spawn.Event() for _ in range(2)]
    processes = [spawn.Process(target=_observe_for_ever, args=(tmp_path, one)) for one in ready]
    try:
        for process in processes:
            process.start()
        assert all(one.wait(30) for one in ready)
        seen = 0
        for _ in range(100):
            for (_, bound), (trace, value, _) in traced(tmp_path).items():
                assert int(trace, 16) == round(value * 1_000)
                assert value <= float(bound)
                seen += 1
    finally:
        for process in processes:
            process.kill()
            process.join(10)
    assert seen > 800  # nine buckets each time, less the few that were being written


WORDS = st.sampled_from(["x", "y", 'a "quoted"\\\nname', "", "é"])
EVENTS = st.one_of(
    st.tuples(st.just("add"), WORDS, WORDS, st.floats(0, 1e6)),
    st.tuples(st.just("observe"), WORDS, st.just(""), st.floats(0, 10)),
    st.tuples(st.just("queue"), st.just(""), st.just(""), st.floats(0, 100)),
    st.tuples(st.just("state"), WORDS, st.just(""), st.floats(-5, 5)),
)


@settings(max_examples=60, deadline=None)
@given(events=st.lists(st.tuples(st.integers(0, 2), EVENTS), max_size=40))
def test_the_merge_is_the_one_that_prometheus_client_makes(
    events: list[tuple[int, tuple[str, str, str, float]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("m")
    workers = [FileMetrics(slots.take(folder)) for _ in range(3)]
    try:
        for number, (what, who, how, value) in events:
            worker = workers[number]
            if what == "add":
                worker.add(HITS, who, how, by=value)
            elif what == "observe":
                worker.observe(WAIT, value, who, trace_id=f"{random.getrandbits(128):032x}")
            elif what == "queue":
                worker.set(QUEUE, value)
            else:
                worker.set(STATE, value, who)
        ours = exposition(folder, "")[0].decode()
        assert _samples(ours) == _samples(_theirs(folder))
        assert _samples(exposition(folder, OPEN)[0].decode(), is_open=True) == _samples(ours)
    finally:
        for worker in workers:
            worker.close()


def _theirs(folder: Path) -> str:
    """prometheus_client's own merge and text of the same files."""

    class Registry:
        def collect(self) -> object:
            merged = MultiProcessCollector.merge([str(path) for path in slots.live_files(folder)])
            return sorted(merged, key=lambda family: family.name)

    return generate_latest(Registry()).decode()  # type: ignore[arg-type]


def _samples(text: str, *, is_open: bool = False) -> dict[object, object]:
    families = list((open_metrics if is_open else plain)(text))
    told: dict[object, object] = {
        (sample.name, frozenset(sample.labels.items())): pytest.approx(sample.value)
        for family in families
        for sample in family.samples
    }
    return told | {family.name: (family.type, family.documentation) for family in families}
