"""What lineage hears of a call, and what it keeps of it."""

import asyncio
import base64
import hashlib
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest

from plugins.core.call import Call, Outcome, Recalled
from plugins.core.errors import Unavailable
from plugins.core.stage import rota_of
from plugins.cost.stage import LedgerStage
from plugins.lineage.keys import QUIET_S, KeyBox, TenantKeys
from plugins.lineage.stage import LARGE, LineageStage
from plugins.lineage.texts import Text, TextPolicy, seal, unseal
from tests.making import SECRET, a_call
from tests.remembering import SetClock

KEY, OTHER_KEY = bytes(range(32)), bytes(range(32, 64))
BODY: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "grüezi"}]}


class Keys:
    """Gives one key, or fails."""

    def __init__(self, key: bytes | None = KEY, *, away: bool = False) -> None:
        self.key, self.away, self.asked = key, away, 0
        self.given = asyncio.Event()
        self.given.set()

    def at_hand(self, tenant_id: str) -> bytes | None:
        return None

    async def of(self, tenant_id: str, wait_s: float | None = None) -> bytes | None:
        self.asked += 1
        await self.given.wait()
        if self.away:
            raise Unavailable("away")
        return self.key


def a_stage(keys: Keys | None = None, **policy: Any) -> LineageStage:
    return LineageStage(keys or Keys(), TextPolicy(**policy))  # pyright: ignore[reportArgumentType]


async def heard(stage: LineageStage, call: Call, *pieces: bytes) -> dict[str, Any]:
    await stage.prepare(call)
    for piece in pieces:
        stage.check_chunk(call, piece)
    return dict(await stage.evidence(call))


def committed(evidence: dict[str, Any], what: bytes, content: bytes) -> str:
    """Compute the commitment from scratch, as an auditor with the salt would."""
    salt = bytes.fromhex(evidence["salt"])
    return "\\x" + hashlib.sha256(salt + what + b"\n" + content).hexdigest()


def opened(evidence: dict[str, Any], call: Call) -> Text:
    text = unseal(KEY, "acme", call.id, base64.b64decode(evidence["text"]))
    assert text is not None
    return text


async def test_digests_are_salted_commitments_to_what_was_asked_and_delivered() -> None:
    call = a_call(body=BODY)
    evidence = await heard(a_stage(), call, b"da", b"", b"ta")
    asked = orjson.dumps(BODY, option=orjson.OPT_SORT_KEYS)
    assert evidence["input_digest"] == committed(evidence, b"input", asked)
    assert evidence["output_digest"] == committed(evidence, b"output", b"data")
    assert "text" not in evidence


async def test_equal_calls_have_different_salts() -> None:
    one, two = [await heard(a_stage(), a_call(body=BODY), b"x") for _ in range(2)]
    assert one["input_digest"] != two["input_digest"]


async def test_a_whole_answer_is_heard_once() -> None:
    stage, call = a_stage(), a_call(body=BODY)
    await stage.prepare(call)
    assert await stage.check_output(call, b"answer") is None
    evidence = dict(await stage.evidence(call))
    assert evidence["output_digest"] == committed(evidence, b"output", b"answer")


async def test_a_recalled_answer_is_what_was_delivered() -> None:
    call = a_call(body=BODY)
    call.recalled = Recalled("", (b"one", b"two"), "g", "d", "p", Decimal(0), 1.0, "hit")
    evidence = await heard(a_stage(keep_text=True), call)
    assert evidence["output_digest"] == committed(evidence, b"output", b"onetwo")
    assert opened(evidence, call).output == b"onetwo"


async def test_an_answer_that_was_kept_back_was_not_delivered() -> None:
    call = a_call(body=BODY, outcome=Outcome.REFUSED)
    evidence = await heard(a_stage(keep_text=True), call, b"bad words")
    assert evidence["output_digest"] is None
    assert opened(evidence, call).output == b""


async def test_what_a_stream_gave_before_it_was_refused_was_delivered() -> None:
    call = a_call(body=BODY, outcome=Outcome.REFUSED, stream=True)
    evidence = await heard(a_stage(), call, b"begun")
    assert evidence["output_digest"] == committed(evidence, b"output", b"begun")


async def test_a_call_refused_before_it_was_prepared_has_the_digest_of_its_input() -> None:
    evidence = dict(await a_stage(keep_text=True).evidence(a_call(body=BODY)))
    assert evidence["output_digest"] is None
    assert evidence["input_digest"]
    assert "text" not in evidence


@pytest.mark.parametrize(
    ("policy", "tenants", "days"),
    [(False, None, 0), (True, None, 30), (False, 7, 7), (True, 0, 0), (True, 1, 1)],
)
async def test_the_tenant_decides_before_the_policy(
    policy: bool, tenants: int | None, days: int
) -> None:
    call = a_call(body=BODY)
    call.principal = replace(call.principal, keep_text_days=tenants)
    keys = Keys()
    evidence = await heard(a_stage(keys, keep_text=policy), call, b"x")
    assert ("text" in evidence, keys.asked) == (days > 0, int(days > 0))
    if days:
        until = datetime.fromisoformat(evidence["text_expires_at"])
        assert until == call.started_at + timedelta(days=days)


async def test_text_is_bounded_and_says_how_long_it_was() -> None:
    call = a_call(body={"prompt": "p" * 5000})
    evidence = await heard(a_stage(keep_text=True, text_bytes=1024), call, b"a" * 900, b"b" * 900)
    text = opened(evidence, call)
    assert (len(text.input), text.input_bytes) == (1024, len('{"prompt":""}') + 5000)
    assert (text.output, text.output_bytes) == (b"a" * 900 + b"b" * 124, 1800)
    assert not text.is_whole


async def test_a_large_text_is_sealed_in_a_thread_and_is_the_same() -> None:
    call = a_call(body={"prompt": "p" * LARGE})
    evidence = await heard(a_stage(keep_text=True), call, b"x")
    assert opened(evidence, call).is_whole
    asked = orjson.dumps(call.body)
    assert evidence["input_digest"] == committed(evidence, b"input", asked)


@pytest.mark.parametrize("keys", [Keys(away=True), Keys(None)], ids=["away", "none"])
async def test_without_a_key_the_call_goes_on_and_its_text_is_not_kept(keys: Keys) -> None:
    evidence = await heard(a_stage(keys, keep_text=True), a_call(body=BODY), b"x")
    assert "text" not in evidence
    assert evidence["output_digest"]


async def test_a_key_is_fetched_while_the_provider_works_and_the_text_is_kept_whole() -> None:
    keys, call = Keys(), a_call(body=BODY)
    keys.given.clear()
    stage = a_stage(keys, keep_text=True)
    await stage.prepare(call)
    stage.check_chunk(call, b"said before the key was there")
    keys.given.set()
    evidence = dict(await stage.evidence(call))
    assert opened(evidence, call).output == b"said before the key was there"


class SlowKeys(TenantKeys):
    """Keys whose database answers when it is told to."""

    def __init__(self, clock: SetClock) -> None:
        super().__init__(None, KeyBox(SECRET), clock)  # pyright: ignore[reportArgumentType]
        self.answers: list[bytes | Unavailable] = []
        self.answered = asyncio.Event()
        self.looked = 0

    async def find(self, tenant_id: str) -> bytes | None:
        self.looked += 1
        await self.answered.wait()
        answer = self.answers.pop(0)
        if isinstance(answer, Unavailable):
            raise answer
        return answer


async def test_a_look_up_goes_on_when_nobody_waits_any_longer_and_ends_the_quiet_time() -> None:
    keys = SlowKeys(SetClock())
    keys.answers = [KEY, OTHER_KEY]
    with pytest.raises(Unavailable, match="within"):
        await keys.of("acme", 0.0)
    with pytest.raises(Unavailable, match="a moment ago"):
        await keys.of("globex", 0.0)
    keys.answered.set()
    while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    await asyncio.sleep(0)  # it has ended, and now says so
    assert await keys.of("globex", 1.0) == OTHER_KEY, "there is no quiet time any more"


async def test_all_that_ask_at_once_share_one_look_up() -> None:
    keys = SlowKeys(SetClock())
    keys.answers = [KEY]
    asked = [asyncio.create_task(keys.of("acme")) for _ in range(3)]
    await asyncio.sleep(0)
    keys.answered.set()
    assert await asyncio.gather(*asked) == [KEY] * 3
    assert keys.looked == 1


async def test_after_a_failure_nobody_waits_for_a_while() -> None:
    clock = SetClock()
    keys = SlowKeys(clock)
    keys.answers = [Unavailable("away"), KEY]
    keys.answered.set()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await keys.of("acme")
    assert keys.looked == 1
    clock.passed_s += QUIET_S
    assert await keys.of("acme") == KEY


def test_a_sealed_text_opens_for_its_tenant_call_and_key_alone() -> None:
    text = Text(b"in", b"out", 2, 3, "application/json")
    sealed = seal(KEY, "acme", "c1", text)
    assert unseal(KEY, "acme", "c1", sealed) == text
    assert b"out" not in sealed
    assert unseal(KEY, "globex", "c1", sealed) is None
    assert unseal(KEY, "acme", "c2", sealed) is None
    assert unseal(bytes(32), "acme", "c1", sealed) is None
    assert unseal(KEY, "acme", "c1", sealed[:-1]) is None
    assert unseal(KEY, "acme", "c1", b"") is None


def test_lineage_hears_answers_after_every_stage_that_may_change_them() -> None:
    from plugins.assembly import STAGES

    assert list(STAGES).index("lineage") == len(STAGES) - 2
    assert a_stage().last
    assert rota_of((a_stage(),)).settle == ()


async def test_a_witness_that_fails_costs_the_row_its_digests_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kept: list[bytes] = []

    class Log:
        async def append(self, entry: bytes) -> str:
            kept.append(entry)
            return "redis"

    class Broken:
        async def evidence(self, call: Call) -> dict[str, Any]:
            raise ZeroDivisionError

    stage = LedgerStage({}, Log(), Broken())  # pyright: ignore[reportArgumentType]
    assert await stage.settle(a_call(body=BODY)) is None
    assert "salt" not in orjson.loads(kept[0])
    assert "recorded without digests" in caplog.text
