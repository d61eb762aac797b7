"""The test suite; a package, so that its plugins import by name from the repository root."""
