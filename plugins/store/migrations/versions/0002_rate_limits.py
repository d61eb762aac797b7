"""Requests and tokens a minute of tenants and keys (SPEC 8.2).

Null means the policy's default, 0 that there is no limit at all.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_TABLES = ("tenants", "keys")
_COLUMNS = ("requests_per_minute", "tokens_per_minute")


def upgrade() -> None:
    """Add the limits; what exists keeps the policy's defaults."""
    for table in _TABLES:
        for column in _COLUMNS:
            op.execute(f"ALTER TABLE {table} ADD COLUMN {column} integer CHECK ({column} >= 0)")


def downgrade() -> None:
    """Drop the limits; everybody is under the policy's defaults again."""
    for table in _TABLES:
        for column in _COLUMNS:
            op.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
