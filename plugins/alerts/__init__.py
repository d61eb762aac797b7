"""Senders behind core's alert port, one a file."""
