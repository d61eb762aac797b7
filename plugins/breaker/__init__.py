"""A circuit breaker per provider, shared by all workers (SPEC 8.3).

Three failures in a row open a provider's circuit: calls then go to the next tier at once. After a
cool-off, one probe at a time is let through; its success closes the circuit, its failure doubles
the cool-off. What is the client's own fault never counts.

The decision itself is pure (`rules.py`). Each worker holds all circuits in process, so that no call
waits for Redis; a change is a compare-and-set there and is published to the others. While Redis is
away every worker goes on with its own copy.
"""
