"""Plugins and fixtures that every test shares."""

pytest_plugins = ["tests.spec_plugin"]
