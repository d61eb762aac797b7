"""Practice providers: one local server that speaks the providers' wire protocols.

A newcomer without keys, a test and a benchmark need an upstream that behaves like OpenAI,
Anthropic, Cohere, vLLM, Deepgram and ElevenLabs over a real socket. Answers come from plain
rules (`answers/`), never from a model: they prove protocol, cost and behaviour, not quality.

Promises:
- The same request gets the same answer. Only ids and times differ. What a provider remembers
  on purpose (cached prompt prefixes) shows in the usage alone and is forgotten on reset.
- Token counts can be recomputed by anyone: see `usage`.
- Faults are programmed over HTTP (`/_practice/faults`, see `faults`), and every request seen is
  listed (`/_practice/requests`), without its text and without its key.
- Loopback by default; the `/_practice/` routes answer to loopback clients only.

Where things are: `http1` parses the socket, `server` owns the listeners, `app` is the ASGI
callable, `providers/` has one module per wire format, `answers/` one module per agent.
"""
