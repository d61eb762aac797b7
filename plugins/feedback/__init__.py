"""What people say of answers, and what became of candidates, joined to calls (SPEC 12.1).

A statement (thumbs up or down, accepted, overridden) is about one call of the speaker's own tenant;
a conversion (shortlisted, interviewed, hired, rejected) is about a call, a subject or an entity.
Both are idempotent: by a key that the client gives, or by what is stated. Agent and model are
copied from the call's ledger row, which never changes, so that sums need no join over a ledger of
many months; whatever else the ledger knows of a call is one join away.

A call reaches the ledger within about half a second of its answer. Whoever states something sooner
waits for it, up to three seconds, and is not refused (`finding.py` says how, and when not).

Comments and reviewers may be personal data. They are bounded, are never logged and label no metric,
and are erased by call (`FeedbackStore.erase`) without touching what is counted.
"""
