"""What people say of answers, what became of candidates, and quotas (SPEC 11.3 and 12.1)."""

from alembic import op

revision = "0004"
down_revision = "0003"

_UP = (
    """CREATE TABLE ai_feedback (
        feedback_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        tenant_id text NOT NULL,
        call_id uuid NOT NULL,
        call_started_at timestamptz NOT NULL,
        agent text,
        model text,
        kind text NOT NULL
            CHECK (kind IN ('thumbs_up', 'thumbs_down', 'accepted', 'overridden')),
        comment text CHECK (char_length(comment) <= 2000),
        reviewer text CHECK (char_length(reviewer) <= 128),
        once bytea NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        stated_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (tenant_id, once))""",
    "CREATE INDEX ix_ai_feedback_call ON ai_feedback (call_id)",
    "CREATE INDEX ix_ai_feedback_tenant ON ai_feedback (tenant_id, stated_at)",
    """CREATE INDEX ix_ai_feedback_thumbs ON ai_feedback (stated_at)
        WHERE kind IN ('thumbs_up', 'thumbs_down')""",
    """CREATE TABLE ai_conversions (
        conversion_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        tenant_id text NOT NULL,
        stage text NOT NULL CHECK (stage IN ('shortlisted', 'interviewed', 'hired', 'rejected')),
        call_id uuid,
        call_started_at timestamptz,
        agent text,
        model text,
        subject text CHECK (char_length(subject) <= 256),
        entity_type text CHECK (char_length(entity_type) <= 256),
        entity_id text CHECK (char_length(entity_id) <= 256),
        once bytea NOT NULL,
        stated_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (tenant_id, once))""",
    "CREATE INDEX ix_ai_conversions_call ON ai_conversions (call_id) WHERE call_id IS NOT NULL",
    "CREATE INDEX ix_ai_conversions_tenant ON ai_conversions (tenant_id, stated_at)",
    """ALTER TABLE tenants ADD COLUMN monthly_quota_usd numeric(24, 12)
        CHECK (monthly_quota_usd > 0)""",
    """CREATE TABLE quota_notices (
        tenant_id text NOT NULL,
        month date NOT NULL,
        level text NOT NULL CHECK (level IN ('warning', 'exceeded')),
        quota_usd numeric(24, 12) NOT NULL,
        told_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (tenant_id, month, level, quota_usd))""",
)


def upgrade() -> None:
    """Make the tables; no tenant has a quota yet."""
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    """Drop them, with what people said."""
    for table in ("quota_notices", "ai_conversions", "ai_feedback"):
        op.execute(f"DROP TABLE {table}")
    op.execute("ALTER TABLE tenants DROP COLUMN monthly_quota_usd")
