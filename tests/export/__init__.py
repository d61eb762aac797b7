"""Spans, measures and logs over real sockets, to receivers that are well, slow, hung or away."""
