"""One OpenTelemetry trace per call, over OTLP, joined to the caller's.

Spans are made when a call is over, out of what the `Call` says of itself: nothing is opened,
carried along or closed while it runs, so that no span is left open by a client that goes away, and
which traces are kept can depend on how the call ended.

- `rules.py` makes the tree: the root is as long as the call, every child lies within its parent.
- `sampling.py` keeps errors, slow, dear and flagged calls, those whose caller records them, and a
  share of the rest that every replica picks alike.
- `wire.py` writes spans in OTLP's format, five times faster than the SDK does.
- `outbox.py` holds at most 20,000 spans and 32 MiB a worker; a receiver that is down, slow or hangs
  costs spans, which are counted, and never a call.
- `sdk.py` makes the official exporter that OpenTelemetry's standard variables ask for.
- `host_spans.py` fits LiteLLM's own spans in, where policy asks for them.

Without an address in the environment (`OTEL_EXPORTER_OTLP_ENDPOINT`) nothing is made or imported.
"""
