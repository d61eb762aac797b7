"""Agents (SPEC 2): a model name picks a policy, the policy says which model groups are tried.

`model="matching"` is an agent; `model="gpt-4o"` stays a plain model. A key may be limited to some
of either; with both lists empty it may use all.
"""
