"""Values of several workers as one: adopted, merged, bounded."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as parsed

from plugins.core.metrics import LATENCIES_S, Counter, Gauge, Histogram, Merge, among
from plugins.metrics import files, slots
from plugins.metrics.exposition import exposition
from plugins.metrics.files import FileMetrics
from plugins.metrics.sampler import Reading, Sampler
from tests.remembering import RememberedMetrics

HITS = Counter("hits_total", "Hits", ("who",))
STATE = Gauge("state", "A state that all workers see", ("who",))
QUEUE = Gauge("queue", "A queue that each worker has", (), merge=Merge.SUM)
WAIT = Histogram("wait_seconds", "A wait", ("who",), bounds=(0.1, 1.0))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FILE_BYTES", 1 << 16)


class Workers:
    """Workers of one folder in this process; locks of open files tell them apart all the same."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.living: list[FileMetrics] = []

    def start(self) -> FileMetrics:
        self.living.append(FileMetrics(slots.take(self.folder)))
        return self.living[-1]

    def end(self, *ended: FileMetrics) -> None:
        for worker in ended or tuple(self.living):
            self.living.remove(worker)
            worker.close()

    def values(self) -> dict[tuple[str, tuple[str, ...]], float]:
        text, _ = exposition(self.folder, "")
        return {
            (sample.name, tuple(sample.labels.values())): sample.value
            for family in parsed(text.decode())
            for sample in family.samples
        }


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    made = Workers(tmp_path / "metrics")
    yield made
    made.end()


def test_counts_of_all_workers_add_up(workers: Workers) -> None:
    a, b = workers.start(), workers.start()
    a.add(HITS, "x")
    b.add(HITS, "x", by=2)
    b.add(HITS, "y")
    assert workers.values() == {("hits_total", ("x",)): 3, ("hits_total", ("y",)): 1}


def test_what_all_see_alike_is_not_summed_and_what_each_has_is(workers: Workers) -> None:
    a, b = workers.start(), workers.start()
    for worker, state in ((a, 2), (b, 1)):
        worker.set(STATE, state, "openai")
        worker.set(QUEUE, 5)
    assert workers.values() == {("state", ("openai",)): 2, ("queue", ()): 10}
    a.set(STATE, 0, "openai")
    assert workers.values()["state", ("openai",)] == 1


def test_a_worker_that_ends_leaves_its_counts_and_takes_its_gauges_along(workers: Workers) -> None:
    a, b = workers.start(), workers.start()
    for worker in (a, b):
        worker.add(HITS, "x")
        worker.observe(WAIT, 0.5, "x")
        worker.set(QUEUE, 5)
        worker.set(STATE, 2, "x")
    workers.end(a)
    b.set(STATE, 0, "x")
    left = workers.values()
    assert (left["hits_total", ("x",)], left["wait_seconds_count", ("x",)]) == (2, 2)
    assert (left["queue", ()], left["state", ("x",)]) == (5, 0)


def test_a_successor_goes_on_where_the_last_one_stopped(workers: Workers) -> None:
    a, b = workers.start(), workers.start()
    a.add(HITS, "x", by=7)
    a.set(QUEUE, 9)
    b.add(HITS, "x")
    workers.end(a)
    c = workers.start()
    assert workers.values()["hits_total", ("x",)] == 8
    assert ("queue", ()) not in workers.values()
    c.add(HITS, "x")
    assert workers.values()["hits_total", ("x",)] == 9
    assert len(list(workers.folder.glob("counter_*.db"))) == 2


def test_the_first_worker_of_a_gateway_starts_at_zero(workers: Workers) -> None:
    workers.start().add(HITS, "x")
    workers.end()
    workers.start()
    assert workers.values() == {}


def test_a_histogram_counts_each_value_below_its_bounds(workers: Workers) -> None:
    a, b = workers.start(), workers.start()
    for worker, value in ((a, 0.05), (b, 0.1), (a, 0.11), (b, 1.0), (a, 7.0)):
        worker.observe(WAIT, value, "x")
    found = workers.values()
    assert [found["wait_seconds_bucket", ("x", le)] for le in ("0.1", "1.0", "+Inf")] == [2, 4, 5]
    assert found["wait_seconds_count", ("x",)] == 5
    assert found["wait_seconds_sum", ("x",)] == pytest.approx(8.26)


@settings(max_examples=25, deadline=None)
@given(
    events=st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from("xyz"), st.sampled_from(["add", "die"])),
        max_size=30,
    )
)
def test_no_count_is_ever_lost_whoever_dies(
    events: list[tuple[int, str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    workers = Workers(tmp_path_factory.mktemp("m"))
    living = [workers.start() for _ in range(3)]
    try:
        for index, who, what in events:
            if what == "die":
                workers.end(living[index])
                living[index] = workers.start()
            living[index].add(HITS, who)
        expected = {("hits_total", (who,)): 0 for _, who, _ in events}
        for _, who, _ in events:
            expected["hits_total", (who,)] += 1
        assert workers.values() == expected
    finally:
        workers.end()


def test_labels_without_end_are_counted_under_other(
    workers: Workers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(files, "SERIES_LIMIT", 3)
    worker = workers.start()
    for number in range(50):
        worker.add(HITS, str(number))
    assert workers.values() == {
        ("hits_total", ("0",)): 1,
        ("hits_total", ("1",)): 1,
        ("hits_total", ("2",)): 1,
        ("hits_total", ("other",)): 47,
    }
    assert len(caplog.messages) == 1


def test_a_full_file_is_never_made_larger(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    worker = workers.start()
    for number in range(900):
        worker.add(HITS, f"{number:0100d}")
    (path,) = workers.folder.glob("counter_*.db")
    assert path.stat().st_size == files.FILE_BYTES
    assert 300 < len(workers.values()) < 900
    assert "no room left" in caplog.text


def test_a_wrong_number_of_labels_is_said_and_fails_nobody(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    worker = workers.start()
    worker.add(HITS)
    worker.add(HITS, "a", "b")
    assert workers.values() == {}
    assert "hits_total is given 0 labels" in caplog.text


def test_openmetrics_is_given_to_whoever_asks(workers: Workers) -> None:
    worker = workers.start()
    worker.add(HITS, 'a "quoted"\nname')
    worker.observe(WAIT, 0.5, "x")
    text, content_type = exposition(
        workers.folder, "application/openmetrics-text; version=1.0.0,text/plain;q=0.5"
    )
    assert content_type.startswith("application/openmetrics-text")
    names = {family.name for family in open_metrics(text.decode())}
    assert names == {"hits", "wait_seconds"}
    assert exposition(workers.folder, "*/*")[1].startswith("text/plain")


def _count_and_wait(folder: Path, ready: "multiprocessing.synchronize.Event") -> None:
    worker = FileMetrics(slots.take(folder))
    worker.set(QUEUE, 3)
    for _ in range(1_000):
        worker.add(HITS, "x")
    ready.set()
    signal.pause()


def test_a_worker_that_is_killed_loses_nothing(workers: Workers) -> None:
    workers.start()
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    process = spawn.Process(target=_count_and_wait, args=(workers.folder, ready))
    process.start()
    assert ready.wait(30)
    assert workers.values() == {("hits_total", ("x",)): 1_000, ("queue", ()): 3}
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join(10)
    assert workers.values() == {("hits_total", ("x",)): 1_000}


@pytest.mark.parametrize(
    ("value", "label"), [("a", "a"), ("b", "other"), ("", "none"), (None, "none")]
)
def test_a_label_is_a_known_word(value: str | None, label: str) -> None:
    assert among(value, {"a"}) == label


def test_latencies_ascend_and_know_the_alerts_threshold() -> None:
    assert list(LATENCIES_S) == sorted(set(LATENCIES_S))
    assert (LATENCIES_S[0], LATENCIES_S[-1]) == (0.005, 120.0)
    assert 3.0 in LATENCIES_S


async def test_a_reading_that_fails_is_said_once_and_keeps_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails() -> dict[tuple[str, ...], float]:
        raise RuntimeError("a bug")

    async def works() -> dict[tuple[str, ...], float]:
        return {("x",): 2.0}

    metrics = RememberedMetrics()
    sampler = Sampler(metrics, [Reading(QUEUE, fails), Reading(STATE, works)])
    await sampler.step()
    await sampler.step()
    assert metrics.values == {("state", "x"): 2.0}
    assert len(caplog.messages) == 1


def test_a_gauge_that_no_worker_states_any_more_is_absent(tmp_path: Path) -> None:
    workers = Workers(tmp_path)
    one, other = workers.start(), workers.start()
    one.set(STATE, 0.25, "a")
    other.set(STATE, 0.75, "a")
    other.set(STATE, 1.0, "b")
    other.clear(STATE, "a")
    assert workers.values() == {("state", ("a",)): 0.25, ("state", ("b",)): 1.0}
    one.clear(STATE, "a")
    one.clear(STATE, "never stated")
    other.clear(STATE, "b")
    assert workers.values() == {}
    one.set(STATE, -3.0, "a")
    assert workers.values() == {("state", ("a",)): -3.0}
    workers.end()


def test_a_sum_cannot_be_absent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    workers = Workers(tmp_path)
    one, other = workers.start(), workers.start()
    one.set(QUEUE, 2.0)
    other.set(QUEUE, 3.0)
    one.clear(QUEUE)
    assert workers.values() == {("queue", ()): 5.0}
    assert "cannot be absent" in caplog.text
    workers.end()
