"""The gateway's own PostgreSQL and Redis: real servers from wheels, for a machine without either.

Promises:
- Data outlives the process: `kill -9` of an engine, of its owner or of the machine loses at most
  what the engine itself allows (PostgreSQL nothing committed, Redis the last second with
  `everysec`, nothing with `always`).
- Nothing listens on the network. Both are reached through unix sockets in a directory that only
  this user can enter, named by a hash of the data directory, so that a deep clone works too and
  the address stays the same over restarts.
- An engine ends with the process that started it (Linux). One that was left over is recognised by
  its pid and start time and stopped first; one that another living process owns is left alone.

`postgres.py` and `redis.py` are the engines; `process.py` knows processes, `account.py` what it
takes to run PostgreSQL as root (which it refuses), `address.py` where the sockets live.

An engine dies with the *thread* that started it (that is how Linux counts): start it from a
thread that lives as long as it should.
"""

from selfhosted.engines.errors import EngineError
from selfhosted.engines.postgres import EmbeddedPostgres
from selfhosted.engines.redis import EmbeddedRedis, Fsync

__all__ = ["EmbeddedPostgres", "EmbeddedRedis", "EngineError", "Fsync"]
