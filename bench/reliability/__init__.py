"""Proves that any provider may fail and no caller notices: `python -m bench.reliability`.

Three practice servers stand for three providers; a gateway with three tiers of each kind of model
is put before them. Every fault is then brought about on real sockets, at the primary and at the
primary and secondary together, for every shape of call. What came of it goes into
`docs/reliability.md`, between its markers.
"""
