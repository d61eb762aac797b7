"""What must not go into a model, found in texts: pure rules, no I/O, no LiteLLM (SPEC 10.1, 10.5).

`Reader(input_checks())` compiles all rules into one pass. It reads a text once: `text` folds it to
what a reader sees, `disguises` undoes what hides in it, `spotting` tells where rules may hold
(Hyperscan where it is installed, else `re`), and each recogniser looks closely there. Hits carry
their place in the original. `Reader.found` answers at once; `Reader.steps` in steps of a fraction
of a millisecond, so that an event loop can run others in between: long texts are read in parts, and
where much was spotted a recogniser is asked about a stretch of a part at a time.

Time is linear in the text: spots know no back-references, shapes are tried around spots only and
are bounded themselves, decoding is bounded in depth and size.

What is promised: card, account and national numbers are believed for their checksums and context,
SQL injection for breaking out of a value, profanity for being a word of its own. Steering phrases
and hostile language are judged by lists, which raise an attacker's cost and detect no more than
they name. The figures are `make accuracy`'s.
"""
