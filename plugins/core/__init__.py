"""Shared words of the gateway: calls, money, tenants, agents, refusals. No I/O, no framework."""
