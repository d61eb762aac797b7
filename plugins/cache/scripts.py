"""The cache's Lua scripts; all KEYS of one call share the tenant's hash slot."""

from typing import Final

from plugins.store.redis import Script

LEAD: Final = 1
WAIT: Final = 0
ALONE: Final = 2

LOOK: Final = Script("""
-- KEYS: entry, lease. ARGV: token, lease in ms (0: only look).
local entry = redis.call('GET', KEYS[1])
if entry then return entry end
local wait = tonumber(ARGV[2])
if wait > 0 and redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', wait) then return 1 end
local holder = redis.call('GET', KEYS[2])
if not holder then return 1 end
if holder == '-' then return 2 end
return 0
""")
"""Gives the entry, or makes the caller leader (1), or tells it to wait (0) or to go alone (2).

Only looking, 1 says that nobody leads.
"""

_BOOKS: Final = """
local function forget(id)
  local size = redis.call('HGET', sizes, id)
  redis.call('ZREM', index, id)
  if size then
    redis.call('HDEL', sizes, id)
    redis.call('HINCRBY', sizes, 'total', -tonumber(size))
  end
end
local now = tonumber(redis.call('TIME')[1])
local function purge(most)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now, 'LIMIT', 0, most)) do
    forget(id)
  end
end
"""

STORE: Final = Script(
    """
-- KEYS: entry, lease, index, sizes. ARGV: id, payload, ttl in s, share in bytes, size, token,
-- start of entries' names.
local index, sizes = KEYS[3], KEYS[4]
local id, ttl, share, size = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
"""
    + _BOOKS
    + """
purge(100)
forget(id)
local kept = 0
if size <= share then
  local room = share - size
  for _ = 1, 500 do
    if tonumber(redis.call('HGET', sizes, 'total') or 0) <= room then break end
    local oldest = redis.call('ZRANGE', index, 0, 0)[1]
    if not oldest then break end
    redis.call('DEL', ARGV[7] .. oldest)
    forget(oldest)
  end
  if tonumber(redis.call('HGET', sizes, 'total') or 0) <= room then
    redis.call('SET', KEYS[1], ARGV[2], 'EX', ttl)
    redis.call('ZADD', index, now + ttl, id)
    redis.call('HSET', sizes, id, size)
    redis.call('HINCRBY', sizes, 'total', size)
    local books = math.max(ttl + 60, redis.call('TTL', index))
    redis.call('EXPIRE', index, books)
    redis.call('EXPIRE', sizes, books)
    kept = 1
  end
end
if redis.call('GET', KEYS[2]) == ARGV[6] then redis.call('DEL', KEYS[2]) end
return kept
"""
)
"""Keeps an entry within its tenant's share, and ends the lease. Gives 1 if it was kept.

Room is made by the tenant's own entries, soonest to expire first, 500 at a time at most so that
Redis serves others meanwhile.
"""

GIVE_UP: Final = Script("""
-- KEYS: lease. ARGV: token, ms for which nobody shall wait for this key (0: another may lead).
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if tonumber(ARGV[2]) > 0 then
  redis.call('SET', KEYS[1], '-', 'PX', ARGV[2])
else
  redis.call('DEL', KEYS[1])
end
return 1
""")

RENEW: Final = Script("""
-- KEYS: lease. ARGV: token, ms.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
""")

COUNT: Final = Script(
    """
-- KEYS: index, sizes.
local index, sizes = KEYS[1], KEYS[2]
"""
    + _BOOKS
    + """
purge(1000)
return {redis.call('ZCARD', index), tonumber(redis.call('HGET', sizes, 'total') or 0)}
"""
)

CLEAR: Final = Script(
    """
-- KEYS: index, sizes. ARGV: start of entries' names, most.
local index, sizes = KEYS[1], KEYS[2]
"""
    + _BOOKS
    + """
local found = redis.call('ZRANGE', index, 0, tonumber(ARGV[2]) - 1)
for _, id in ipairs(found) do
  redis.call('DEL', ARGV[1] .. id)
  forget(id)
end
if #found < tonumber(ARGV[2]) then redis.call('DEL', index, sizes) end
return #found
"""
)

NOTE: Final = Script(
    """
-- KEYS: names, gone, index, sizes. ARGV: id, ttl in s, when its call began, start of entries'
-- names.
local index, sizes = KEYS[3], KEYS[4]
"""
    + _BOOKS
    + """
local gone = redis.call('GET', KEYS[2])
if gone and tonumber(gone) >= tonumber(ARGV[3]) then
  redis.call('DEL', ARGV[4] .. ARGV[1])
  forget(ARGV[1])
  return 0
end
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], math.max(tonumber(ARGV[2]), redis.call('TTL', KEYS[1])))
return 1
"""
)
"""Notes for whom an entry was kept; removes it when they were erased while its call was under way.
"""

FORGET: Final = Script(
    """
-- KEYS: names, gone, index, sizes. ARGV: now, s for which that is remembered, start of entries'
-- names, 1 to only count.
local index, sizes = KEYS[3], KEYS[4]
"""
    + _BOOKS
    + """
local found = 0
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  found = found + redis.call('EXISTS', ARGV[3] .. id)
  if ARGV[4] == '0' then
    redis.call('DEL', ARGV[3] .. id)
    forget(id)
  end
end
if ARGV[4] == '0' then
  redis.call('DEL', KEYS[1])
  redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
end
return found
"""
)
