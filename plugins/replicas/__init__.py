"""Several servers of one model, balanced by their load (SPEC 2.10).

Deployments of one `model_name` in `model_list` are replicas of each other. A call goes to the one
that has least to do, by its own `/metrics` (requests running and waiting, share of the KV cache in
use) and by what this worker has sent it or had back since they were read. Of more than two
replicas, two are drawn and the better one is taken: many workers that all read the same figures
would otherwise all choose the same replica until the next reading.

One that cannot be reached, or that has just failed a call, is avoided while another can be, and a
call never goes twice to a replica that failed it while another is well. Figures older than three
seconds are not believed: then only what this worker itself has in flight counts.

The decision is pure (`rules.py`). `board.py` is what one worker knows, `scrape.py` reads the
servers, `stage.py` learns from the calls. Nothing is shared between workers, since every server
tells the whole of its load to each of them.
"""
