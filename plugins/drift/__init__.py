"""Notices when a model no longer behaves as it did."""
