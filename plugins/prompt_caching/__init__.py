"""Makes use of the providers' own prompt caches (SPEC 2.12).

Anthropic caches up to a point that the request marks: reading costs a tenth of the input price,
writing a quarter more than it. A prefix that never comes again would only be dearer, so a point is
set where this worker has seen the same prefix within Anthropic's five minutes: after tools and
system text, and after the last message of a conversation that goes on. A client that sets points of
its own keeps them, and only them.

OpenAI caches by itself whatever prefix comes again unchanged; the gateway adds nothing before a
client's messages and keeps their order. `prompt_cache_key` sends calls of one tenant and agent to
the same machine there, and those of two tenants to two.

What is read from a cache is priced as such by the ledger (`cost/rules.py`).
"""
