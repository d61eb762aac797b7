"""What checks of content must let pass and must find: their rules, and two tables by other hands."""
