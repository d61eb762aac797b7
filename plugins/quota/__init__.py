"""What a tenant may spend in a month, and who hears of it."""
