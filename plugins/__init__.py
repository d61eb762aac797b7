"""Sluice: a LiteLLM proxy extended only by plugins; `assembly.py` is the file to read first."""
