"""The response cache and the sharing of identical calls (SPEC 8.1, 2.14): promises and reasons.

- **Exact.** A key is a keyed hash of everything that changes the answer: tenant, endpoint, model
  asked for, the models behind its tiers, prompt version and arm (`call.variants`), and every
  field of the body but those that `rules.LEFT_OUT` names one by one. A field nobody has thought
  of is part of it: a needless miss costs money, a wrong hit costs trust.
- **A tenant's own.** The tenant is part of the key, of the Redis key's name and of each entry's
  seal; all three are made with a key derived from the installation's secret. What is found in
  Redis under another key, changed, or written by somebody else is a miss, never an error and
  never an answer.
- **Kept as it was given.** Whole answers and streams are kept after every other stage has had its
  say, with the frames that end them. Kept is only what another caller would want: a finished
  answer, no tool call, no refusal, nothing that a check held back (`answers.py`). An answer of a
  lower tier is kept for a minute, so that it does not outlive the outage that it stood in for.
- **Bounded.** An entry has a largest size, a tenant a share of bytes that evicts its own entries
  alone, soonest to expire first, and nothing is stored while Redis uses more memory than it may.
  Settlements live in the same Redis, which evicts nothing: they must never find it full because
  of a cache. A Redis of its own can be named (`SLUICE_CACHE_REDIS_URL`).
- **One upstream call for identical calls in flight.** The first to look a key up leads it, by a
  lease of 15 seconds that is renewed while its call runs; the others wait for its answer, at most
  `wait_s`. In one worker they wait on one future. Across workers the future is fed by one reader
  per key and worker that looks again after 20 to 200 ms: on calls that take a second this is
  little, a notice by publish/subscribe would reach every worker for every miss, and reading again
  also finds a leader that died. A leader that failed hands over to one of those who wait, three
  times at most; after that, or when the answer may not be kept, all go on alone, as they would
  have without a cache. The latter is noted for half a minute, so that nobody waits in vain.
- **Cheap.** The look-up shares `reserve`'s round trip, the store that of the settlement. A worker
  holds copies of what it has just read, for a second.
- **Never in the way.** With Redis away calls go on uncached, and share within their worker.

Entries are not compressed: an answer of 2 KB takes longer to deflate than Redis takes to carry
it.
"""
