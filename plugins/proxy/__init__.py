"""The only place that knows LiteLLM and HTTP: drives the stages and writes refusals."""
