"""Why a call answered as it did: hash-chained, erasable, and found in one query."""
