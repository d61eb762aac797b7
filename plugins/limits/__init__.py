"""Requests and tokens a minute, per provider, tenant and key (SPEC 8.2).

What is promised: however many workers and replicas there are, no window of 60 seconds holds more
requests than the limit, and under full load each holds at least 99 % of it. The same goes for
tokens, as far as they are known: a call reserves an estimate (its text's length over four, and the
answer it allows) and is corrected at settlement to what the provider counted.

**The window** slides in steps of 0.3 s. A counter is a ring of 201 slots and their running sum: the
slot that fills now and the 200 before it. So a call counts for 60.0 to 60.3 s after it began, never
for less; that is where the half per cent goes. A fixed minute lets twice the limit through around
its edge, a weighted pair of minutes is off by whatever the load is not even, a log of every call
grows with the limit (10,000 entries for OpenAI), and a token bucket is another promise: it lets
through its whole depth at once and goes on refilling. `tests/unit/test_limits_rules.py` compares
them. A counter takes 3.2 KB, whatever the limit, and goes away a window after its last use.

**One script** (`scripts.py`) looks at a call's key and tenant, and at its tiers' providers in
order, and takes from all of them or from none. It runs by Redis' own clock. A full provider does
not refuse a call, whose answer may be in the cache: `route` skips the tier. Another hop reserves
there and gives back what the failed one did not use, in the same round trip. A call without any
limit costs no round trip; none costs a second one unless a tier fails.

**Whose limit**: a key's and its tenant's own figures (`sluice keys create --rpm`, `sluice tenants
set`), else the policy's defaults. A rotated key counts anew under its new identifier; while the old
one has its grace, the two share the tenant's limit and nothing else. Counters are named by what the
key directory says, never by anything a client writes. Headers tell of the tenant's and the key's
limits alone: how full a provider is, is made of other tenants' calls.

**While Redis is away**, nothing waits and nothing is refused for that: each worker goes on with
windows of its own, which have followed its calls all along, against the limit divided by the
workers last seen. When Redis is back, a worker first tells it what it has let through meanwhile
(or, if Redis has lost everything, all that it let through in the last minute), then counts there
again.

What can be counted too much, for one window: a reservation whose answer was lost (what is in flight
when Redis goes away), and estimates whose correction came while Redis was away. Too little: what a
worker takes beyond its share before it learns of more workers, at most two seconds after they
start.
"""
