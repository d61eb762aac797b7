"""What moderation must let pass and must find: two tables, and the tests that read them."""
