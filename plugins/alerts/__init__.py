"""Alerts leave the gateway here: to the log, a webhook, Slack or Alertmanager (SPEC 8.3, 9.3).

Whoever raises an alert calls `Dispatcher.send` and goes on: nothing waits, and a receiver that is
down, slow or refuses costs no call anything. Behind it, in each worker:

1. `claims.py`: of all workers that raise the same alert (name, subject, state) within `repeat_s`,
   one delivers it. The claim is made in Redis; while that is away each worker claims for itself, so
   an alert then arrives once per worker at most, and is never left out.
2. `pending.py`: each sender has a bounded queue of its own, so that one receiver's outage is not
   another's. Full, it drops the oldest of the least grave. What is over never overtakes what began.
3. `delivery.py`: each try has a time limit; `backoff.py` says when the next one is. What cannot be
   delivered within 15 minutes, or is refused, is logged and counted.

One short file per kind of receiver turns an alert into a request: `webhook.py`, `slack.py`,
`alertmanager.py`; `log.py` needs none. Alerts that still wait when a worker ends are lost, at most
`QUEUE_SIZE` per sender; what is still firing is kept in Redis and told to Alertmanager again by
another worker (`firing.py`).
"""
