"""Why a decision came about, and that nobody has changed the record since (SPEC 14).

The ledger's row is the lineage record. Rows of a tenant form a chain (`core.chain`), assigned in
the transaction that records them; the end of each chain is sealed under a key that the database
does not hold. Personal columns and texts can be erased without breaking it. What a call was about
hangs together by `parent_call_id` and `entity_type`/`entity_id`.
"""
