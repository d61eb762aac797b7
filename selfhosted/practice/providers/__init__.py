"""The wire protocols, one module or package per provider."""
