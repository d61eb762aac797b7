"""Tenants, keys and the ledger.

A migration is frozen once released: it states its own columns and does not read `tables.py`.
"""

from alembic import op

revision = "0001"
down_revision = None

_UP = (
    """CREATE TABLE tenants (
        tenant_id text PRIMARY KEY CHECK (tenant_id <> ''),
        name text NOT NULL,
        active boolean NOT NULL DEFAULT true,
        created_at timestamptz NOT NULL DEFAULT now())""",
    """CREATE TABLE directory (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        version bigint NOT NULL,
        fingerprint bytea)""",
    "INSERT INTO directory (version) VALUES (0)",
    """CREATE TABLE keys (
        key_id text PRIMARY KEY,
        tenant_id text REFERENCES tenants,
        role text NOT NULL CHECK (role IN ('tenant', 'admin')),
        label text NOT NULL DEFAULT '',
        hash bytea NOT NULL,
        agents text[] NOT NULL DEFAULT '{}',
        models text[] NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz,
        revoked_at timestamptz,
        rotated_to text,
        version bigint NOT NULL,
        CHECK ((role = 'tenant') = (tenant_id IS NOT NULL)))""",
    "CREATE INDEX ix_keys_version ON keys (version)",
    "CREATE INDEX ix_keys_tenant ON keys (tenant_id)",
    """CREATE TABLE ledger (
        call_id uuid NOT NULL,
        started_at timestamptz NOT NULL,
        tenant_id text NOT NULL,
        key_id text NOT NULL,
        agent text,
        endpoint text NOT NULL,
        model_asked text NOT NULL,
        model_served text,
        deployment text,
        provider text,
        tier text,
        outcome text NOT NULL,
        status integer NOT NULL,
        error_class text,
        stream boolean NOT NULL,
        cache text NOT NULL,
        input_tokens bigint NOT NULL CHECK (input_tokens >= 0),
        output_tokens bigint NOT NULL CHECK (output_tokens >= 0),
        cached_input_tokens bigint NOT NULL,
        cache_write_tokens bigint NOT NULL,
        characters bigint NOT NULL,
        audio_s numeric(14, 3) NOT NULL,
        usage_source text NOT NULL,
        cost_usd numeric(24, 12) NOT NULL CHECK (cost_usd >= 0),
        saved_usd numeric(24, 12) NOT NULL CHECK (saved_usd >= 0),
        cost_note text,
        practice boolean NOT NULL,
        latency_ms integer NOT NULL,
        first_byte_ms integer,
        attempts jsonb NOT NULL,
        subject text,
        session text,
        entity_type text,
        entity_id text,
        parent_call_id text,
        traceparent text,
        recorded_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (call_id, started_at)) PARTITION BY RANGE (started_at)""",
    "CREATE INDEX ix_ledger_tenant ON ledger (tenant_id, started_at)",
    "CREATE TABLE ledger_default PARTITION OF ledger DEFAULT",
    """CREATE TABLE ledger_rejects (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        entry text NOT NULL,
        error text NOT NULL,
        rejected_at timestamptz NOT NULL DEFAULT now())""",
)


def upgrade() -> None:
    """Make the foundation's tables."""
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    """Refuse: the ledger is a record, and dropping it is never a step back."""
    raise RuntimeError("the foundation is not undone; restore a backup instead")
