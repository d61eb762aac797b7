"""What must not go into a model, found in texts: pure rules, no I/O, no LiteLLM."""
