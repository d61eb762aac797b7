"""Items that wait for a person's judgement: so far their table, and how many wait for how long.

Nothing fills the queue yet and nobody can decide an item yet; the gauges read 0 until then.
"""
