"""Which worker delivers an alert, and which alerts still fire, agreed on through Redis.

While Redis is away each worker decides for itself and remembers what the others have yet to hear of
the alerts that fire; it tells them when Redis is back.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from plugins.alerts.notice import Notice
from plugins.core.alerts import Alert
from plugins.core.clock import Clock
from plugins.store.redis import RedisAway, RedisLink, Script

TOLD: Final = "sluice:{alerts}:told:"
FIRING: Final = "sluice:{alerts}:firing"
ROUND: Final = "sluice:{alerts}:round:"
MOST_FIRING: Final = 500
FIRES_AT_MOST: Final = timedelta(days=7)
"""After which nobody is told again of an alert whose end nobody has told."""

# Claims a state that is not the one told last; gives (claimed, what was kept of it as firing).
_CLAIM: Final = Script("""
if redis.call('GET', KEYS[1]) == ARGV[1] then return {0, ''} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local kept = redis.call('HGET', KEYS[2], ARGV[3]) or ''
if ARGV[4] == '' then
  redis.call('HDEL', KEYS[2], ARGV[3])
elseif kept == '' and redis.call('HLEN', KEYS[2]) < tonumber(ARGV[5]) then
  redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
end
return {1, kept}
""")

_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(Notice)


class Claims:
    """One worker's view of what has been told.

    Args:
        link: this worker's Redis.
        clock: wall and monotonic time.
        window_s: seconds in which the same state of the same alert is told once.
    """

    def __init__(self, link: RedisLink, clock: Clock, window_s: float) -> None:
        self._link: Final = link
        self._clock: Final = clock
        self._window_s: Final = window_s
        self._alone: Final[dict[str, tuple[str, float]]] = {}
        """What this worker told while Redis was away: state, and until when that counts."""
        self._own: Final[dict[str, Notice]] = {}
        """What fires by this worker's word."""
        self._owed: Final[dict[str, bytes]] = {}
        """Changes of what fires that Redis has not heard of; empty bytes for an end."""

    async def claim(self, alert: Alert, at: datetime) -> Notice | None:
        """Take it on to deliver an alert.

        Args:
            alert: what is told.
            at: when it was raised, UTC.

        Returns:
            The notice to deliver; None when it was told already, by whichever worker.
        """
        name = _name(alert)
        notice = Notice(alert, at, at)
        lasting = not alert.resolved and not alert.momentary
        entry = _encoder.encode(notice) if lasting else b""
        window_ms = int(self._window_s * 1000)
        arguments = (alert.state, window_ms, name, entry, MOST_FIRING)
        try:
            claimed, kept = await self._link.call(_CLAIM, (TOLD + name, FIRING), arguments)
        except RedisAway:
            return self._claim_alone(name, notice, entry)
        self._alone.pop(name, None)
        self._owed.pop(name, None)
        if not claimed:
            return None
        own_since = self._note_own(name, notice, lasting=lasting)
        return Notice(alert, at, _since(kept) or own_since)

    async def firing(self, sender: str, every_s: float) -> list[Notice]:
        """Give what still fires, to one worker in each round of a sender's.

        Args:
            sender: whose round.
            every_s: length of a round.

        Returns:
            What is to be told again; while Redis is away, what this worker itself has raised.
        """
        try:
            await self._pay()
            length_ms = max(int(every_s * 900), 1)
            key = ROUND + sender
            kept: dict[bytes, bytes] = await self._link.send("HGETALL", FIRING)
            for name in [own for own in self._own if own.encode() not in kept]:
                del self._own[name]  # another worker has told its end
            if not await self._link.send("SET", key, "1", "NX", "PX", length_ms):
                return []
            found = [notice for raw in kept.values() if (notice := _read(raw)) is not None]
            return [self._again(notice) for notice in found if not await self._ended(notice)]
        except RedisAway:
            return [self._again(notice) for notice in self._own.values()]

    def _claim_alone(self, name: str, notice: Notice, entry: bytes) -> Notice | None:
        now_s = self._clock.monotonic_s()
        told, until_s = self._alone.get(name, ("", 0.0))
        if told == notice.alert.state and now_s < until_s:
            return None
        for old in [key for key, (_, until) in self._alone.items() if until <= now_s]:
            del self._alone[old]
        self._alone[name] = (notice.alert.state, now_s + self._window_s)
        if not entry and self._owed.get(name):
            del self._owed[name]  # it began and ended unheard, and is not another worker's
        else:
            self._owed[name] = entry
        since = self._note_own(name, notice, lasting=bool(entry))
        return Notice(notice.alert, notice.at, since)

    def _note_own(self, name: str, notice: Notice, *, lasting: bool) -> datetime:
        """Note what this worker has raised or ended; gives since when it fires."""
        before = self._own.pop(name, None)
        if lasting and len(self._own) < MOST_FIRING:
            self._own[name] = notice
        return before.since if before else notice.since

    async def _pay(self) -> None:
        """Tell Redis what it missed."""
        for name, entry in list(self._owed.items()):
            if entry:
                await self._link.send("HSETNX", FIRING, name, entry)
            else:
                await self._link.send("HDEL", FIRING, name)
            self._owed.pop(name, None)

    async def _ended(self, notice: Notice) -> bool:
        """Forget an alert that fires for longer than anything should."""
        if self._clock.now() - notice.since <= FIRES_AT_MOST:
            return False
        await self._link.send("HDEL", FIRING, _name(notice.alert))
        return True

    def _again(self, notice: Notice) -> Notice:
        return Notice(notice.alert, self._clock.now(), notice.since, repeated=True)


def _name(alert: Alert) -> str:
    """Give what alerts of one name and subject share; bounded, whatever they hold."""
    return hashlib.sha256(f"{alert.name}\n{alert.subject}".encode()).hexdigest()[:32]


def _since(kept: bytes) -> datetime | None:
    notice = _read(kept)
    return notice.since if notice else None


def _read(raw: Any) -> Notice | None:
    """Read what was kept; None for nothing, or what another release wrote differently."""
    try:
        return _decoder.decode(raw) if raw else None
    except msgspec.DecodeError:
        return None
