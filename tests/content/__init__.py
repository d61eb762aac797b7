"""What checks of content must let pass and must find: rules, and two tables by other hands."""
