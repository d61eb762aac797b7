"""Which replica a call goes to: boundaries as tables, laws by hypothesis, workers simulated."""

import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.assembly import _is_servers_fault
from plugins.core.call import Attempt, Call, Endpoint
from plugins.core.tenant import Principal, Role
from plugins.replicas.board import WANTED_S, Board
from plugins.replicas.rules import STALE_S, Reach, Reading, Replica, choose, parse_metrics, share_of
from plugins.replicas.scrape import LONGEST_BYTES, Scraper, metrics_urls
from plugins.replicas.stage import ReplicasStage

IDLE = Reading(0, 0, 0)


class Time:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def _call(*failed: str) -> Call:
    principal = Principal(key_id="k", tenant_id="t", role=Role.TENANT)
    call = Call("c", Endpoint.CHAT, principal, "llama-3", {}, datetime.now(UTC), 0.0)
    call.attempts = [
        Attempt(name, "vllm", "llama-3", 0.0, 1.0, error_class="InternalServerError")
        for name in failed
    ]
    return call


def _board(time: Time, *names: str, chance: Callable[[], float] = lambda: 0.0) -> Board:
    return Board(dict.fromkeys(names, "llama-3"), time, chance)


READINGS = st.one_of(
    st.none(),
    st.builds(Reading, st.integers(0, 300), st.integers(0, 300), st.floats(0, 1)),
)
REPLICAS = st.lists(
    st.builds(
        Replica,
        deployment=st.sampled_from("abcdefgh"),
        reach=st.sampled_from(Reach),
        reading=READINGS,
        in_flight=st.integers(0, 300),
        in_flight_then=st.integers(0, 300),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda replica: replica.deployment,
)
TRIED = st.sets(st.sampled_from("abcdefgh"))
CHANCES = st.floats(0, 1, exclude_max=True)


@given(REPLICAS, TRIED, st.lists(CHANCES, min_size=3, max_size=3))
def test_one_that_is_away_is_never_chosen_while_another_is_not(
    replicas: list[Replica], tried: set[str], chances: list[float]
) -> None:
    chosen = choose(replicas, tried, iter(chances).__next__)
    taken = next(r for r in replicas if r.deployment == chosen)
    if any(r.reach is not Reach.AWAY for r in replicas):
        assert taken.reach is not Reach.AWAY


@given(REPLICAS, TRIED, st.lists(CHANCES, min_size=3, max_size=3))
def test_one_that_failed_this_call_is_never_chosen_while_another_is_well(
    replicas: list[Replica], tried: set[str], chances: list[float]
) -> None:
    chosen = choose(replicas, tried, iter(chances).__next__)
    others = [r for r in replicas if r.deployment not in tried and r.reach is not Reach.AWAY]
    if others:
        assert chosen not in tried


@given(REPLICAS, st.lists(CHANCES, min_size=3, max_size=3))
def test_of_those_equally_fit_never_the_one_with_most_to_do(
    replicas: list[Replica], chances: list[float]
) -> None:
    replicas = [
        Replica(r.deployment, Reach.WELL, r.reading or IDLE, r.in_flight, r.in_flight_then)
        for r in replicas
    ]
    share = share_of(replicas)
    loads = {r.deployment: r.load(share) for r in replicas}
    chosen = choose(replicas, (), iter(chances).__next__)
    worst = max(loads.values())
    if list(loads.values()).count(worst) == 1 and len(loads) > 1:
        assert loads[chosen or ""] < worst


def test_of_none_there_is_nothing_to_choose() -> None:
    assert choose([], (), lambda: 0.0) is None


def test_ties_go_either_way() -> None:
    pair = [Replica("a", Reach.WELL, IDLE), Replica("b", Reach.WELL, IDLE)]
    assert {choose(pair, (), lambda c=c: c) for c in (0.0, 0.49, 0.5, 0.99)} == {"a", "b"}


@pytest.mark.parametrize(
    ("replica", "load"),
    [
        (Replica("a", reading=Reading(3, 0, 0)), 3),
        (Replica("a", reading=Reading(3, 2, 0)), 7),
        (Replica("a", reading=Reading(4, 0, 0.5)), 6),
        # two of this worker's own came since the figures were read, then three of five ended
        (Replica("a", reading=Reading(3, 0, 0), in_flight=5, in_flight_then=3), 5),
        (Replica("a", reading=Reading(9, 0, 0), in_flight=2, in_flight_then=5), 6),
        # figures that lag behind what this worker knows for certain
        (Replica("a", reading=Reading(0, 0, 0), in_flight=4, in_flight_then=4), 4),
        (Replica("a", in_flight=4), 4),
    ],
)
def test_the_load_of_a_replica(replica: Replica, load: float) -> None:
    assert replica.load() == load


def test_a_worker_with_a_quarter_of_the_calls_makes_up_for_a_quarter_of_a_difference() -> None:
    busy = Replica("busy", Reach.WELL, Reading(12, 0, 0), in_flight=3, in_flight_then=3)
    free = Replica("free", Reach.WELL, Reading(4, 0, 0), in_flight=1, in_flight_then=1)
    assert share_of([busy, free]) == 0.25
    assert free.load(0.25) == 4
    assert replace(free, in_flight=2).load(0.25) == 8
    assert replace(free, in_flight=3).load(0.25) == 12


@pytest.mark.parametrize(
    ("reading", "in_flight_then", "share"),
    [
        (None, 5, 1.0),
        (IDLE, 0, 1.0),
        (Reading(10, 10, 0), 5, 0.25),
        (Reading(9, 0, 0), 0, 1 / 64),
        (Reading(2, 0, 0), 5, 1.0),
    ],
)
def test_a_workers_share_of_the_calls(
    reading: Reading | None, in_flight_then: int, share: float
) -> None:
    assert share_of([Replica("a", Reach.WELL, reading, 9, in_flight_then)]) == share


def test_without_figures_of_one_only_the_own_calls_are_compared() -> None:
    told = Replica("told", Reach.WELL, Reading(50, 0, 0), in_flight=1, in_flight_then=1)
    silent = Replica("silent", Reach.WELL, None, in_flight=2)
    assert choose([told, silent], (), lambda: 0.0) == "told"


def _spread(workers: int, replicas: int, seed: int, calls: int = 4000) -> tuple[int, float]:
    """Simulate workers that read figures once a second each, at moments of their own.

    Gives the largest difference in running requests between two replicas, seen after the first
    seconds, and the mean number that ran on each.
    """
    chance = random.Random(seed)  # noqa: S311 - a simulation
    time = Time()
    names = [f"r{n}" for n in range(replicas)]
    boards = [_board(time, *names, chance=chance.random) for _ in range(workers)]
    next_read = [time.now_s + chance.random() for _ in boards]
    running: dict[str, list[tuple[float, Board]]] = {name: [] for name in names}
    widest, total, samples = 0, 0, 0
    for number in range(calls):
        time.now_s += chance.expovariate(40.0)  # 40 calls a second of 2 s each: 80 at once
        for name, busy in running.items():
            for end_s, board in [entry for entry in busy if entry[0] <= time.now_s]:
                busy.remove((end_s, board))
                board.ended(name)
        for index, board in enumerate(boards):
            if next_read[index] <= time.now_s:
                next_read[index] += 1.0
                for name, busy in running.items():
                    board.read(name, Reading(len(busy), 0, min(len(busy) / 200, 1.0)))
        board = chance.choice(boards)
        chosen = board.choose(_call(), names)
        assert chosen is not None
        board.began(chosen)
        running[chosen].append((time.now_s + chance.expovariate(0.5), board))
        if number > calls // 10:
            counts = [len(busy) for busy in running.values()]
            widest = max(widest, max(counts) - min(counts))
            total, samples = total + sum(counts), samples + replicas
    return widest, total / samples


@pytest.mark.parametrize(
    ("workers", "replicas", "bound"), [(1, 2, 10), (4, 2, 14), (1, 4, 12), (4, 4, 16), (8, 3, 20)]
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_difference_in_load_stays_bounded(
    workers: int, replicas: int, bound: int, seed: int
) -> None:
    widest, mean = _spread(workers, replicas, seed)
    print(f"{workers} workers, {replicas} replicas: {mean:.1f} run on each, at most {widest} apart")
    assert widest <= bound


PAGE = b"""# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="llama-3"} 3.0
vllm:num_requests_running{engine="1",model_name="llama-3"} 4.0
vllm:num_requests_waiting{engine="0",model_name="llama-3"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="llama-3",reason="capacity"} 9.0
vllm:kv_cache_usage_perc{engine="0",model_name="a} 1 b"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="llama-3"} 0.5
"""


def test_figures_are_read_from_vllms_page_and_its_engines_added_up() -> None:
    assert parse_metrics(PAGE) == Reading(running=7, waiting=2, kv_cache_use=0.5)


def test_the_name_that_older_releases_give_the_cache_is_understood() -> None:
    page = b"vllm:num_requests_running 1\nvllm:gpu_cache_usage_perc 0.75\n"
    assert parse_metrics(page) == Reading(1, 0, 0.75)


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"<html>not found</html>",
        b"vllm:num_requests_waiting 1",
        b"vllm:num_requests_running NaN",
        b"vllm:num_requests_running +Inf",
        b"vllm:num_requests_running -1",
        b"vllm:num_requests_running many",
        b"# vllm:num_requests_running 1",
    ],
)
def test_a_page_without_usable_figures_gives_none(page: bytes) -> None:
    assert parse_metrics(page) is None


@given(st.binary(max_size=300))
def test_no_page_whatever_raises(page: bytes) -> None:
    parse_metrics(page)
    parse_metrics(b"vllm:num_requests_running " + page)


def test_figures_older_than_three_seconds_are_not_believed() -> None:
    time = Time()
    board = _board(time, "a", "b")
    board.read("a", Reading(100, 0, 0))
    board.read("b", Reading(0, 0, 0))
    board.began("b")
    assert board.choose(_call(), ["a", "b"]) == "b"
    time.now_s += STALE_S
    assert board.choose(_call(), ["a", "b"]) == "b"
    time.now_s += 0.001
    assert board.choose(_call(), ["a", "b"]) == "a"


def test_a_replica_that_failed_a_call_is_avoided_until_it_answers() -> None:
    time = Time()
    board = _board(time, "a", "b")
    board.read("a", IDLE)
    board.read("b", Reading(50, 10, 0.9))
    board.lost("a")
    assert board.choose(_call(), ["a", "b"]) == "b"
    board.read("a", IDLE)
    assert board.choose(_call(), ["a", "b"]) == "a"
    assert board.choose(_call("a"), ["a", "b"]) == "b"


def test_one_that_nobody_asks_gets_its_chance_again_after_a_while() -> None:
    time = Time()
    board = _board(time, "a", "b")
    board.lost("a")
    board.began("b")
    assert board.choose(_call(), ["a", "b"]) == "b"
    time.now_s += STALE_S + 0.001
    assert board.choose(_call(), ["a", "b"]) == "a"


def test_a_failure_is_one_servers_while_another_is_well_and_the_providers_when_none_is() -> None:
    time = Time()
    board = Board({"a": "llama-3", "b": "llama-3", "c": "mistral"}, time, lambda: 0.0)
    board.read("c", IDLE)
    assert not board.other_is_well("a")  # of another model
    board.read("b", IDLE)
    assert board.other_is_well("a")
    board.lost("b")
    assert not board.other_is_well("a")
    assert not board.other_is_well("nobody")


def test_a_group_may_be_tried_once_for_each_of_its_replicas() -> None:
    board = Board({"a": "llama-3", "b": "llama-3", "c": "mistral"}, Time(), lambda: 0.0)
    assert [board.replicas_of(group) for group in ("llama-3", "mistral", "gpt-4o")] == [2, 1, 0]


def test_only_replicas_are_asked_for_their_figures_unless_somebody_wants_them_all() -> None:
    time = Time()
    board = Board({"a": "llama-3", "b": "llama-3", "c": "mistral"}, time, lambda: 0.0)
    assert board.wanted(["a", "b", "c"]) == ["a", "b"]
    assert set(board.loads()) == {"a", "b", "c"}
    assert board.wanted(["a", "b", "c"]) == ["a", "b", "c"]
    time.now_s += WANTED_S
    assert board.wanted(["a", "b", "c"]) == ["a", "b"]


async def test_the_stage_counts_each_attempt_once_however_it_ends() -> None:
    board = _board(Time(), "a", "b")
    stage = ReplicasStage(board, _is_servers_fault)
    call = _call()
    left = Attempt("a", "vllm", "llama-3", 0.0)
    call.attempts = [left, Attempt("b", "vllm", "llama-3", 0.0)]
    for attempt in call.attempts:
        await stage.attempt(call, attempt)
    assert {name: r.in_flight for name, r in board.loads().items()} == {"a": 1, "b": 1}
    call.attempts[1].ended_s = 1.0
    await stage.attempt_ended(call, call.attempts[1])
    assert await stage.settle(call) is None  # nobody told how the first one ended
    assert {name: r.in_flight for name, r in board.loads().items()} == {"a": 0, "b": 0}
    assert board.loads()["b"].reach is Reach.WELL


@pytest.mark.parametrize(
    ("status", "error_class", "reach"),
    [
        (None, "APIConnectionError", Reach.AWAY),
        (500, "InternalServerError", Reach.AWAY),
        (429, "RateLimitError", Reach.AWAY),
        (400, "BadRequestError", Reach.UNKNOWN),
        (200, "EmptyAnswer", Reach.UNKNOWN),
    ],
)
async def test_what_a_request_brings_about_by_itself_speaks_against_no_replica(
    status: int | None, error_class: str, reach: Reach
) -> None:
    board = _board(Time(), "a", "b")
    stage = ReplicasStage(board, _is_servers_fault)
    attempt = Attempt("a", "vllm", "llama-3", 0.0, 1.0, error_class=error_class, status=status)
    await stage.attempt_ended(_call(), attempt)
    assert board.loads()["a"].reach is reach


async def test_a_tier_is_named_once_for_each_of_its_replicas() -> None:
    board = Board({"a": "llama-3", "b": "llama-3", "c": "gpt-4o"}, Time(), lambda: 0.0)
    call = _call()
    call.tiers = ("llama-3", "gpt-4o", "unknown")
    assert await ReplicasStage(board, _is_servers_fault).prepare(call) is None
    assert call.tiers == ("llama-3", "llama-3", "gpt-4o", "unknown")


@pytest.mark.parametrize(
    ("failed", "status", "away", "goes"),
    [
        ((), None, (), True),
        ((), None, ("a", "b"), True),  # nothing was tried yet: the breaker decides, not we
        (("a",), 500, (), True),
        (("a",), 500, ("b",), False),
        (("a",), 400, (), False),  # every replica would say the same
        (("a", "b"), 500, (), False),
    ],
)
async def test_a_group_is_tried_again_only_on_a_replica_that_may_do_better(
    failed: tuple[str, ...], status: int | None, away: tuple[str, ...], goes: bool
) -> None:
    board = _board(Time(), "a", "b")
    for name in away:
        board.lost(name)
    call = _call(*failed)
    for attempt in call.attempts:
        attempt.status = status
    refusal = await ReplicasStage(board, _is_servers_fault).route(call, "llama-3")
    assert (refusal is None) is goes
    assert await ReplicasStage(board, _is_servers_fault).route(call, "gpt-4o") is None


ENVIRON = {"VLLM_API_BASE": "http://gpu-1:8000/v1/", "EMPTY": ""}


@pytest.mark.parametrize(
    ("api_base", "url"),
    [
        ("http://gpu:8000/v1", "http://gpu:8000/metrics"),
        ("http://gpu:8000/v1/", "http://gpu:8000/metrics"),
        ("https://gpu/prefix/vllm/v1", "https://gpu/prefix/vllm/metrics"),
        ("http://gpu:8000", "http://gpu:8000/metrics"),
        ("os.environ/VLLM_API_BASE", "http://gpu-1:8000/metrics"),
        ("os.environ/EMPTY", None),
        ("os.environ/ABSENT", None),
        ("file:///etc/passwd", None),
        (None, None),
    ],
)
def test_figures_are_asked_of_the_configured_address_alone(
    api_base: str | None, url: str | None
) -> None:
    assert metrics_urls({"a": api_base}, ENVIRON).get("a") == url


class Page(httpx.AsyncByteStream):
    """A body as it comes from a socket: in parts, once."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), 65_536):
            yield self._content[start : start + 65_536]


def _answer(status: int, content: bytes = b"", **headers: str) -> httpx.Response:
    return httpx.Response(status, stream=Page(content), headers=headers)


class Servers(httpx.AsyncBaseTransport):
    """Answers for two servers and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, httpx.Response | Exception] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        answer = self.answers[str(request.url)]
        if isinstance(answer, Exception):
            raise answer
        return answer


A, B = "http://a/metrics", "http://b/metrics"


async def _scraped(
    a: httpx.Response | Exception, b: httpx.Response | Exception
) -> tuple[Board, Servers]:
    board, servers = _board(Time(), "a", "b"), Servers()
    servers.answers = {A: a, B: b}
    await Scraper(board, {"a": A, "b": B}, lambda: 0.0, servers).once()
    return board, servers


async def test_a_round_reads_every_server_once() -> None:
    board, servers = await _scraped(_answer(200, PAGE), httpx.ConnectError("no"))
    assert sorted(servers.asked) == [A, B]
    assert board.loads()["a"].reading == Reading(7, 2, 0.5)
    assert board.loads()["a"].reach is Reach.WELL
    assert board.loads()["b"].reach is Reach.AWAY


async def test_two_models_of_one_server_share_its_figures_and_one_request() -> None:
    board, servers = _board(Time(), "a", "b"), Servers()
    servers.answers = {A: _answer(200, PAGE)}
    await Scraper(board, {"a": A, "b": A}, lambda: 0.0, servers).once()
    assert servers.asked == [A]
    assert board.loads()["b"].reading == Reading(7, 2, 0.5)


@pytest.mark.parametrize(
    ("answer", "reach"),
    [
        (_answer(404), Reach.WELL),
        (_answer(302, location="http://elsewhere/"), Reach.WELL),
        (_answer(200, b"x" * (LONGEST_BYTES + 1)), Reach.WELL),
        (_answer(503), Reach.AWAY),
        (httpx.ConnectError("refused"), Reach.AWAY),
        (httpx.RemoteProtocolError("garbage"), Reach.AWAY),
    ],
)
async def test_a_server_without_figures_is_well_and_one_that_is_unwell_is_away(
    answer: httpx.Response | Exception, reach: Reach
) -> None:
    board, servers = await _scraped(answer, _answer(200, PAGE))
    assert (board.loads()["a"].reach, board.loads()["a"].reading) == (reach, None)
    assert sorted(servers.asked) == [A, B]


@pytest.mark.parametrize("slow", [httpx.ReadTimeout("slow"), httpx.ConnectTimeout("slow")])
async def test_one_slow_answer_is_no_proof_and_three_seconds_of_silence_are(
    slow: Exception,
) -> None:
    time, servers = Time(), Servers()
    board = _board(time, "a", "b")
    scraper = Scraper(board, {"a": A, "b": B}, lambda: 0.0, servers)
    servers.answers = {A: _answer(200, PAGE), B: slow}
    await scraper.once()
    assert board.loads()["b"].reach is Reach.AWAY  # nothing was ever heard of it
    servers.answers = {A: slow, B: _answer(200, PAGE)}
    seen: list[Reach] = []
    for _ in range(5):
        time.now_s += 1.0
        servers.answers[B] = _answer(200, PAGE)
        await scraper.once()
        seen.append(board.loads()["a"].reach)
    assert seen == [Reach.WELL] * 3 + [Reach.AWAY] * 2
    time.now_s += STALE_S  # it stays away while it goes on being silent
    servers.answers[B] = _answer(200, PAGE)
    await scraper.once()
    assert board.loads()["a"].reach is Reach.AWAY


async def test_nobody_is_asked_while_nobody_needs_to_know() -> None:
    board, servers = Board({"a": "llama-3"}, Time(), lambda: 0.0), Servers()
    scraper = Scraper(board, {"a": A}, lambda: 0.0, servers)
    await scraper.once()
    assert servers.asked == []
    board.loads()
    servers.answers = {A: _answer(200, PAGE)}
    await scraper.once()
    assert servers.asked == [A]
