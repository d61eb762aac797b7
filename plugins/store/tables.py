"""The tables, as SQLAlchemy Core objects; `migrations/` makes them."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from plugins.core.money import USD_PLACES

metadata: Final = MetaData()
_MONEY: Final = Numeric(24, USD_PLACES)
_MOMENT: Final = DateTime(timezone=True)


def _rate_limit() -> tuple["Column[int]", "Column[int]"]:
    """Make the columns of a limit: null for the policy's default, 0 for none at all."""
    return Column("requests_per_minute", Integer), Column("tokens_per_minute", Integer)


tenants: Final = Table(
    "tenants",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("active", Boolean, nullable=False, server_default="true"),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    *_rate_limit(),
)

# One row: bumped in the transaction of every change to keys or tenants. The row's lock orders the
# changes, so that a worker which has seen version n has seen every change up to n. The fingerprint
# tells which SLUICE_SECRET the keys are hashed with; it is empty until the first start.
directory: Final = Table(
    "directory",
    metadata,
    Column("singleton", Boolean, primary_key=True, server_default="true"),
    Column("version", BigInteger, nullable=False),
    Column("fingerprint", LargeBinary),
)

keys: Final = Table(
    "keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("tenant_id", Text, ForeignKey("tenants.tenant_id"), nullable=True),
    Column("role", Text, nullable=False),
    Column("label", Text, nullable=False, server_default=""),
    Column("hash", LargeBinary, nullable=False),
    Column("agents", ARRAY(Text), nullable=False, server_default="{}"),
    Column("models", ARRAY(Text), nullable=False, server_default="{}"),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("expires_at", _MOMENT),
    Column("revoked_at", _MOMENT),
    Column("rotated_to", Text),
    *_rate_limit(),
    Column("version", BigInteger, nullable=False, index=True),
)

# Partitioned by month on started_at; the identifier is unique together with it, and a call's
# started_at never changes, so a replayed settlement meets its own row.
ledger: Final = Table(
    "ledger",
    metadata,
    Column("call_id", UUID(as_uuid=False), primary_key=True),
    Column("started_at", _MOMENT, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("agent", Text),
    Column("endpoint", Text, nullable=False),
    Column("model_asked", Text, nullable=False),
    Column("model_served", Text),
    Column("deployment", Text),
    Column("provider", Text),
    Column("tier", Text),
    Column("outcome", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("error_class", Text),
    Column("stream", Boolean, nullable=False),
    Column("cache", Text, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cached_input_tokens", BigInteger, nullable=False),
    Column("cache_write_tokens", BigInteger, nullable=False),
    Column("characters", BigInteger, nullable=False),
    Column("audio_s", Numeric(14, 3), nullable=False),
    Column("usage_source", Text, nullable=False),
    Column("cost_usd", _MONEY, nullable=False),
    Column("saved_usd", _MONEY, nullable=False),
    Column("cost_note", Text),
    Column("practice", Boolean, nullable=False),
    Column("latency_ms", Integer, nullable=False),
    Column("first_byte_ms", Integer),
    Column("attempts", JSONB, nullable=False),
    Column("subject", Text),
    Column("session", Text),
    Column("entity_type", Text),
    Column("entity_id", Text),
    Column("parent_call_id", Text),
    Column("traceparent", Text),
    Column("recorded_at", _MOMENT, nullable=False, server_default=func.now()),
    postgresql_partition_by="RANGE (started_at)",
)

# A settlement that PostgreSQL would not take as a row is kept here as it came, never dropped.
ledger_rejects: Final = Table(
    "ledger_rejects",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("entry", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("rejected_at", _MOMENT, nullable=False, server_default=func.now()),
)

# Outputs that people look at. `claimed_by` stays with a decided item: it is who decided.
review_items: Final = Table(
    "review_items",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True, server_default=func.gen_random_uuid()),
    Column("call_id", UUID(as_uuid=False), nullable=False, unique=True),
    Column("tenant_id", Text, nullable=False),
    Column("agent", Text),
    Column("reasons", ARRAY(Text), nullable=False),
    Column("holds", Boolean, nullable=False),
    Column("findings", JSONB, nullable=False),
    Column("payload", LargeBinary),
    Column("state", Text, nullable=False, server_default="open"),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("created_at", _MOMENT, nullable=False),
    Column("due_at", _MOMENT, nullable=False),
    Column("claimed_by", Text),
    Column("lease_until", _MOMENT),
    Column("decided_at", _MOMENT),
    Column("decision", JSONB),
    Column("answer", LargeBinary),
    Column("decision_key", Text),
)
