"""Senders behind core's event port."""
