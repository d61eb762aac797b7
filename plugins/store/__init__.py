"""Where state lives: PostgreSQL (tables, migrations) and Redis (client), both with short time-outs.

Nothing here decides anything; features bring their own queries and scripts.
"""
