"""The scripts that count in Redis, atomically and by Redis' own clock.

A counter is one string of 64-bit integers, big-endian as BITFIELD writes them: the newest slot, the
sums of requests and of tokens, the slot of the last take; then the ring, two for each slot.
"""

from typing import Final

from plugins.limits.rules import SLOTS
from plugins.store.redis import Script

REDIS_TIME: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
"""

_COUNTERS: Final = """
local SLOTS, HEAD = %(slots)d, 32
local EMPTY = string.rep('\\0', 16)
local slot_us = tonumber(ARGV[2])
local now_slot = math.floor(now / slot_us)

local function place(slot) return 4 + 2 * (slot %% SLOTS) end

-- Sums up and empties a stretch of the ring that does not wrap.
local function empty(key, first, count)
  local from = HEAD + 16 * first
  local held = redis.call('GETRANGE', key, from, from + 16 * count - 1)
  local requests, tokens = 0, 0
  if held ~= string.rep('\\0', #held) then
    for p = 1, #held - 15, 16 do
      local r, t = struct.unpack('>i8i8', held, p)
      requests, tokens = requests + r, tokens + t
    end
    redis.call('SETRANGE', key, from, string.rep(EMPTY, count))
  end
  return requests, tokens
end

-- Lets time pass for one counter and gives how it stands.
local function forward(key)
  local h = redis.call('BITFIELD', key, 'GET', 'i64', '#0', 'GET', 'i64', '#1',
                       'GET', 'i64', '#2', 'GET', 'i64', '#3')
  local c = {key = key, slot = h[1], requests = h[2], tokens = h[3], last = h[4]}
  if c.slot >= now_slot and c.slot - now_slot < SLOTS then return c end
  local passed = now_slot - c.slot
  if passed >= SLOTS or passed < 0 then
    redis.call('DEL', key)
    c.requests, c.tokens, c.last = 0, 0, 0
  else
    local first = (c.slot + 1) %% SLOTS
    local straight = math.min(passed, SLOTS - first)
    local r, t = empty(key, first, straight)
    c.requests, c.tokens = c.requests - r, c.tokens - t
    if passed > straight then
      r, t = empty(key, 0, passed - straight)
      c.requests, c.tokens = c.requests - r, c.tokens - t
    end
  end
  c.slot = now_slot
  redis.call('BITFIELD', key, 'SET', 'i64', '#0', c.slot, 'SET', 'i64', '#1', c.requests,
             'SET', 'i64', '#2', c.tokens)
  redis.call('PEXPIRE', key, math.ceil(SLOTS * slot_us / 1000) + 1000)
  return c
end

local function add(c, slot, requests, tokens)
  local p = place(slot)
  redis.call('BITFIELD', c.key, 'INCRBY', 'i64', '#1', requests, 'INCRBY', 'i64', '#2', tokens,
             'INCRBY', 'i64', '#' .. p, requests, 'INCRBY', 'i64', '#' .. (p + 1), tokens,
             'SET', 'i64', '#3', math.max(slot, c.last))
  c.requests, c.tokens, c.last = c.requests + requests, c.tokens + tokens, math.max(slot, c.last)
end

local function resets_us(c)
  return math.max((c.last + SLOTS) * slot_us - now, 0)
end
"""

_ACCOUNT: Final = """
-- KEYS: the epoch; counters to correct; the callers'; the providers'.
-- ARGV: the epoch, a slot's length in us, how many to correct, how many callers, the tokens wanted;
--   for each to correct its slot, requests and tokens; for each other its two limits, 0 for none.
-- Gives -1 when Redis was emptied since the worker looked; else whether the callers have room, and
--   for each counter looked at: slot, requests, tokens, us to wait, us to the reset.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {-1} end
local corrected, callers, tokens = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local key, arg = 2, 6

for _ = 1, corrected do
  local c, slot = forward(KEYS[key]), tonumber(ARGV[arg])
  if slot > c.slot - SLOTS and slot <= c.slot then
    local p = place(slot)
    local held = redis.call('BITFIELD', c.key, 'GET', 'i64', '#' .. p,
                            'GET', 'i64', '#' .. (p + 1))
    add(c, slot, math.max(tonumber(ARGV[arg + 1]), -held[1]),
        math.max(tonumber(ARGV[arg + 2]), -held[2]))
  end
  key, arg = key + 1, arg + 3
end

-- How long until the call fits: the oldest slots go first.
local function wait_us(c, rpm, tpm)
  local requests, over = 0, 0
  if rpm > 0 then requests = c.requests + 1 - rpm end
  if tpm > 0 then over = c.tokens + tokens - tpm end
  if requests <= 0 and over <= 0 then return 0 end
  local ring = redis.call('GETRANGE', c.key, HEAD, -1)
  for slot = c.slot - SLOTS + 1, c.slot do
    local p = 16 * (slot % SLOTS) + 1
    if p + 15 <= #ring then
      local r, t = struct.unpack('>i8i8', ring, p)
      requests, over = requests - r, over - t
      if requests <= 0 and over <= 0 then
        return math.max((slot + SLOTS) * slot_us - now, 1)
      end
    end
  end
  return SLOTS * slot_us
end

local seen = {}
local function look()
  local c = forward(KEYS[key])
  c.wait = wait_us(c, tonumber(ARGV[arg]), tonumber(ARGV[arg + 1]))
  seen[#seen + 1] = c
  key, arg = key + 1, arg + 2
  return c.wait == 0
end

local admitted = true
for _ = 1, callers do
  if not look() then admitted = false end
end
if admitted then
  while key <= #KEYS do
    if look() then break end
  end
  for _, c in ipairs(seen) do
    if c.wait == 0 then add(c, c.slot, 1, tokens) end
  end
end
local answer = {admitted and 1 or 0}
for _, c in ipairs(seen) do
  for _, value in ipairs({c.slot, c.requests, c.tokens, c.wait, resets_us(c)}) do
    answer[#answer + 1] = value
  end
end
return answer
"""

_LOOK: Final = """
-- KEYS: counters. ARGV: nothing, a slot's length in us.
-- Gives for each: requests, tokens, us to the reset.
local answer = {}
for _, key in ipairs(KEYS) do
  local c = {requests = 0, tokens = 0, last = -SLOTS}
  if redis.call('EXISTS', key) == 1 then c = forward(key) end
  for _, value in ipairs({c.requests, c.tokens, resets_us(c)}) do answer[#answer + 1] = value end
end
return answer
"""

_PRESENT: Final = """
-- KEYS: the epoch, the workers. ARGV: an epoch for a Redis that has none, a slot's length (unused),
--   the worker, us after which a silent worker is gone. Gives the epoch, the workers, the time.
redis.call('SET', KEYS[1], ARGV[1], 'NX')
redis.call('ZADD', KEYS[2], now, ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[4])
redis.call('PEXPIRE', KEYS[2], 3600000)
return {redis.call('GET', KEYS[1]), redis.call('ZCARD', KEYS[2]), now}
"""


class Scripts:
    """All scripts, by one clock.

    Args:
        clock: Lua that sets `now`, in microseconds; a test's own, or Redis'.
    """

    def __init__(self, clock: str = REDIS_TIME) -> None:
        counters = clock + _COUNTERS % {"slots": SLOTS}
        self.account: Final = Script(counters + _ACCOUNT)
        self.look: Final = Script(counters + _LOOK)
        self.present: Final = Script(clock + _PRESENT)
