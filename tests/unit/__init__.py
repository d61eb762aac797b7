"""Tests that need no network, no LiteLLM and no running gateway."""
