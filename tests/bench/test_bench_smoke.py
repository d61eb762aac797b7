"""The pure parts of the benchmark: what it computes, not what it starts."""

import json
from collections import Counter
from itertools import islice

import pytest

from bench.figures import added, compared, interval, percentile, ratio
from bench.load import arrivals
from bench.measure import NOTHING, RedisCount, cpu_s, round_trips_per_call
from bench.wire import Place, Reply
from bench.workloads import HITS, KNOWN, MIXED, RESUME, SHORT, STREAM, Workload


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([7.0], 0.99, 7.0),
        ([3.0, 1.0, 2.0], 0.0, 1.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([3.0, 1.0, 2.0], 1.0, 3.0),
        ([0.0, 10.0], 0.25, 2.5),
        ([float(n) for n in range(101)], 0.99, 99.0),
    ],
)
def test_a_percentile_lies_between_its_neighbours(
    values: list[float], share: float, expected: float
) -> None:
    assert percentile(values, share) == pytest.approx(expected)


def test_ratios_are_taken_within_a_pair_before_they_are_summarised() -> None:
    # The machine was half as fast in the second pair: no pair shows a difference.
    figure = compared([100.0, 50.0, 100.0], [100.0, 50.0, 90.0], ratio)
    assert (figure.change, figure.low, figure.high) == (1.0, 0.9, 1.0)
    assert (figure.bare, figure.sluice) == (100.0, 90.0)


def test_differences_keep_their_sign() -> None:
    figure = compared([10.0, 12.0], [9.0, 15.0], added)
    assert (figure.low, figure.change, figure.high) == (-1.0, 1.0, 3.0)


# Bounds of the sign test at 95 %, as any table of it has them: how many are left out on each side.
@pytest.mark.parametrize(
    ("pairs", "left_out"), [(1, 0), (2, 0), (5, 0), (6, 0), (8, 0), (9, 1), (12, 2), (20, 5)]
)
def test_the_median_lies_in_an_interval_that_its_pairs_alone_decide(
    pairs: int, left_out: int
) -> None:
    changes = [float(n) for n in range(pairs, 0, -1)]
    assert interval(changes) == (1.0 + left_out, float(pairs - left_out))


def test_rounds_without_a_partner_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        compared([1.0, 2.0], [1.0], ratio)


def test_arrivals_come_at_the_rate_asked_for_and_can_be_repeated() -> None:
    moments = arrivals(200.0, 50.0, seed=1)
    assert moments == sorted(moments)
    assert moments[0] > 0
    assert moments[-1] < 50.0
    assert len(moments) == pytest.approx(10_000, rel=0.05)
    assert moments == arrivals(200.0, 50.0, seed=1)
    assert moments != arrivals(200.0, 50.0, seed=2)


def test_what_redis_does_in_the_background_is_no_calls_doing() -> None:
    # 100 calls in 10 s, two round trips each; the drain read 40 times and trimmed 20 times; a
    # loop asks once a second; our own INFO was read once.
    loaded = RedisCount(
        reads=200 + 60 + 10 + 1,
        commands={"xadd": 100, "get": 110, "xreadgroup": 40, "xack": 20, "xdel": 20, "info": 1},
    )
    idle = RedisCount(reads=8 + 2 + 1, commands={"xreadgroup": 8, "get": 2, "info": 1})
    assert round_trips_per_call(loaded, 100, 10.0, idle, 2.0) == pytest.approx(2.0)


def test_counts_of_redis_subtract_and_add() -> None:
    before, after = RedisCount(5, {"get": 2}), RedisCount(9, {"get": 3, "xadd": 3})
    assert after - before == RedisCount(4, {"get": 1, "xadd": 3})
    assert sum([after - before, after - before], NOTHING) == RedisCount(8, {"get": 2, "xadd": 6})


def test_no_process_uses_no_time() -> None:
    assert cpu_s() == 0.0


@pytest.mark.parametrize("workload", [SHORT, RESUME, STREAM], ids=lambda w: w.name)
def test_every_request_is_whole_and_a_new_one(workload: Workload) -> None:
    place = Place("127.0.0.1", 4000)
    requests = list(islice(workload.requests(place, "sk-x", "gpt-4o", "/v1/chat/completions"), 50))
    assert len(set(requests)) == 50
    for request in requests:
        head, _, body = request.partition(b"\r\n\r\n")
        assert f"Content-Length: {len(body)}".encode() in head
        assert json.loads(body)["model"] == "gpt-4o"


@pytest.mark.parametrize(("workload", "repeated"), [(HITS, 1.0), (MIXED, 0.4)], ids=["hits", "40"])
def test_a_share_of_requests_repeats_a_known_few(workload: Workload, repeated: float) -> None:
    place = Place("127.0.0.1", 4000)
    requests = list(islice(workload.requests(place, "sk-x", "gpt-4o", "/v1"), 500))
    counts = Counter(requests)
    known = [request for request, count in counts.items() if count > 1]
    assert len(known) == len(KNOWN)
    assert sum(counts[request] for request in known) == 500 * repeated
    for start in range(0, 500, 50):  # evenly, so that every round has its share
        assert sum(r in known for r in requests[start : start + 50]) == 50 * repeated


@pytest.mark.parametrize(
    ("status", "body", "ok"),
    [
        (200, b'{"choices":[]}', True),
        (429, b'{"error":{}}', False),
        (200, b'data: {"a":1}\n\ndata: [DONE]\n\n', True),
        (200, b'data: {"a":1}\n\n', False),
    ],
)
def test_a_broken_stream_is_no_success(status: int, body: bytes, ok: bool) -> None:
    assert Reply(status, body, 0.0, 0.0, 0.0).ok is ok
