"""The human review queue: what a model said and nobody should use unseen, until a person decided.

An item is one call's output. It is open until a reviewer claims it; a claim is a lease, so that an
item whose reviewer has gone home, or whose browser crashed, is open again by itself. A decision is
taken once: it names the version of the item that the reviewer saw, and PostgreSQL lets exactly one
of two through. Repeating a decision with the same key gives the same answer again.

The queue is ordered by when an item is due: each reason has its own time (`rules.DUE_IN`), so that
urgent items come first and no other waits for ever.
"""
