"""Tenants and their virtual keys (SPEC 13).

A key is shown once and kept as a keyed hash. Every worker holds the keys in process, so that a
call costs no query, and asks PostgreSQL once a second which ones changed: a revoked key stops on
every worker within two seconds, whether Redis runs or not. While PostgreSQL is away, keys already
known keep working; one never seen before is answered 503.
"""
