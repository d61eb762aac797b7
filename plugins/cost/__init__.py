"""What every call costs, and the ledger that keeps it (SPEC 11.2).

One row per call, priced in Decimal from the provider's own usage. Before the client's last byte
the settlement is appended to a Redis stream, or, while Redis is away, to an fsynced file of this
worker (the spool). A consumer group drains the stream into PostgreSQL in batches; the call's
identifier is unique there, so that what is delivered at least once is kept exactly once.
"""
