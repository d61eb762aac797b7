"""What runs on our own machines instead of at a provider."""
