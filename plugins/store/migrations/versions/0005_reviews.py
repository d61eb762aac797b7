"""The human review queue (SPEC 10.2, 10.3)."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the queue; what waits is found by when it is due."""
    op.execute(
        """
        CREATE TABLE review_items (
          id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
          call_id uuid NOT NULL UNIQUE,
          tenant_id text NOT NULL,
          agent text,
          reasons text[] NOT NULL CHECK (cardinality(reasons) > 0),
          holds boolean NOT NULL,
          findings jsonb NOT NULL,
          payload bytea,
          state text NOT NULL DEFAULT 'open' CHECK (state IN
            ('open', 'claimed', 'approved', 'edited', 'overridden', 'rejected')),
          version integer NOT NULL DEFAULT 1,
          created_at timestamptz NOT NULL,
          due_at timestamptz NOT NULL,
          claimed_by text,
          lease_until timestamptz,
          decided_at timestamptz,
          decision jsonb,
          answer bytea,
          decision_key text,
          erased_at timestamptz,
          CHECK ((state = 'claimed') = (lease_until IS NOT NULL)),
          CHECK ((state IN ('open', 'claimed')) = (decided_at IS NULL)),
          CHECK ((decided_at IS NULL) = (decision IS NULL)),
          CHECK (state = 'open' OR claimed_by IS NOT NULL)
        )
        """
    )
    op.execute(
        "CREATE INDEX review_items_waiting ON review_items (due_at, id)"
        " WHERE state IN ('open', 'claimed')"
    )
    # A reviewer is of one tenant, or of all.
    for name, check in (
        ("keys_role_check", "role IN ('tenant', 'admin', 'reviewer')"),
        ("keys_check", "role = 'reviewer' OR (role = 'tenant') = (tenant_id IS NOT NULL)"),
    ):
        op.execute(f"ALTER TABLE keys DROP CONSTRAINT {name}")
        op.execute(f"ALTER TABLE keys ADD CONSTRAINT {name} CHECK ({check})")
    op.execute("CREATE INDEX review_items_of_tenant ON review_items (tenant_id, due_at, id)")


def downgrade() -> None:
    """Drop the queue with all that is in it, and the reviewers' keys."""
    op.execute("DROP TABLE review_items")
    op.execute("DELETE FROM keys WHERE role = 'reviewer'")
    for name, check in (
        ("keys_role_check", "role IN ('tenant', 'admin')"),
        ("keys_check", "(role = 'tenant') = (tenant_id IS NOT NULL)"),
    ):
        op.execute(f"ALTER TABLE keys DROP CONSTRAINT {name}")
        op.execute(f"ALTER TABLE keys ADD CONSTRAINT {name} CHECK ({check})")
