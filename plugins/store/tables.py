"""The tables, as SQLAlchemy Core objects; `migrations/` makes them."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
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
    # Days for which the text of calls is kept: null for the policy's default, 0 for not at all.
    Column("keep_text_days", Integer),
    Column("monthly_quota_usd", _MONEY),
    # Where decisions about held answers are sent; the salt is what the shared secret is made of.
    Column("review_webhook_url", Text),
    Column("review_webhook_salt", LargeBinary),
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
    # The place in the tenant's chain (core.chain); 0 in rows from before there was one.
    Column("seq", BigInteger, nullable=False),
    Column("layout", SmallInteger, nullable=False),
    Column("prev_hash", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("trace_id", Text),
    Column("findings", JSONB, nullable=False),
    Column("variants", JSONB, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("confidence", Double),
    Column("input_digest", LargeBinary),
    Column("output_digest", LargeBinary),
    Column("context_digest", LargeBinary, nullable=False),
    # What `sluice erase` takes out, with subject, session and entity_id.
    Column("salt", LargeBinary),
    Column("excerpts", JSONB),
    Column("erased_at", _MOMENT),
    Column("erasure_id", BigInteger),
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

# The end of each tenant's chain. Its lock orders whoever records or erases that tenant's calls.
lineage_heads: Final = Table(
    "lineage_heads",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("seal", LargeBinary, nullable=False),
    Column("unchained", BigInteger, nullable=False),
    Column("updated_at", _MOMENT, nullable=False, server_default=func.now()),
)

# What was asked and answered, sealed with the tenant's own key; only where policy keeps it.
lineage_texts: Final = Table(
    "lineage_texts",
    metadata,
    Column("call_id", UUID(as_uuid=False), primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", _MOMENT, nullable=False, index=True),
)

tenant_keys: Final = Table(
    "tenant_keys",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
)

# When a tenant's key was last deleted, by whatever statement; a trigger writes it down.
key_destructions: Final = Table(
    "key_destructions",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("at", _MOMENT, nullable=False),
)

# Who erased whom and when, the subject by keyed hash alone; also what a late settlement is held
# against.
erasures: Final = Table(
    "erasures",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=True),
    Column("tenant_id", Text, nullable=False),
    Column("subject_hash", LargeBinary, nullable=False),
    Column("ordered_by", Text, nullable=False),
    Column("at", _MOMENT, nullable=False),
    Column("calls", BigInteger, nullable=False),
    Column("texts", BigInteger, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("seal", LargeBinary, nullable=False),
)

# The ledger's sums, kept in the transaction of every insert; empty words stand for null.
ledger_daily: Final = Table(
    "ledger_daily",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("agent", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("answered", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("disconnected", BigInteger, nullable=False),
    Column("hits", BigInteger, nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cached_input_tokens", BigInteger, nullable=False),
    Column("cost_usd", _MONEY, nullable=False),
    Column("saved_usd", _MONEY, nullable=False),
)

# Statements about calls. Agent and model are the ledger row's; `once` is a digest of what makes two
# statements the same one, so that it tells nothing of who made it.
ai_feedback: Final = Table(
    "ai_feedback",
    metadata,
    Column("feedback_id", BigInteger, primary_key=True, autoincrement=True),
    Column("tenant_id", Text, nullable=False),
    Column("call_id", UUID(as_uuid=False), nullable=False),
    Column("call_started_at", _MOMENT, nullable=False),
    Column("agent", Text),
    Column("model", Text),
    Column("kind", Text, nullable=False),
    Column("comment", Text),
    Column("reviewer", Text),
    Column("once", LargeBinary, nullable=False),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("stated_at", _MOMENT, nullable=False, server_default=func.now()),
)

ai_conversions: Final = Table(
    "ai_conversions",
    metadata,
    Column("conversion_id", BigInteger, primary_key=True, autoincrement=True),
    Column("tenant_id", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("call_id", UUID(as_uuid=False)),
    Column("call_started_at", _MOMENT),
    Column("agent", Text),
    Column("model", Text),
    Column("subject", Text),
    Column("entity_type", Text),
    Column("entity_id", Text),
    Column("once", LargeBinary, nullable=False),
    Column("stated_at", _MOMENT, nullable=False, server_default=func.now()),
)

# Which alerts of a quota have been raised; a changed quota is a new one.
quota_notices: Final = Table(
    "quota_notices",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("month", Date, primary_key=True),
    Column("level", Text, primary_key=True),
    Column("quota_usd", _MONEY, primary_key=True),
    Column("told_at", _MOMENT, nullable=False, server_default=func.now()),
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
    Column("erased_at", _MOMENT),
    # When the decision became feedback about the call; null until it has.
    Column("stated_at", _MOMENT),
)

# Decisions that a tenant's webhook is told of; made in the decision's transaction.
review_deliveries: Final = Table(
    "review_deliveries",
    metadata,
    Column("item_id", UUID(as_uuid=False), ForeignKey("review_items.id"), primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("due_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("last_error", Text),
    Column("delivered_at", _MOMENT),
    Column("given_up_at", _MOMENT),
)
