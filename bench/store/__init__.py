"""The ledger at ten million rows: how fast rows come in, and how fast its questions are answered.

The table is filled by the server itself with rows of the size and kinds that calls leave (their
hashes are digests of a number: nobody follows this chain), then measured through the gateway's own
code: `LedgerStore.record` with chain and daily sums, and the queries behind its routes.
"""
