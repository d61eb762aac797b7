"""Thousands of draws with known truth: what statistics promise, they keep."""
