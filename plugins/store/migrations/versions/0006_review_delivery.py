"""Decisions of reviewers reach whoever waits for them, and become feedback (SPEC 10.2, 12.1)."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the outbox, the tenants' webhooks, and the mark of what has become feedback."""
    op.execute(
        """
        ALTER TABLE tenants
          ADD COLUMN review_webhook_url text,
          ADD COLUMN review_webhook_salt bytea,
          ADD CONSTRAINT tenants_review_webhook_check
            CHECK ((review_webhook_url IS NULL) = (review_webhook_salt IS NULL))
        """
    )
    op.execute("ALTER TABLE review_items ADD COLUMN stated_at timestamptz")
    op.execute(
        "CREATE INDEX review_items_unstated ON review_items (decided_at)"
        " WHERE decided_at IS NOT NULL AND stated_at IS NULL"
    )
    op.execute(
        "CREATE INDEX review_items_decided ON review_items (decided_at, id)"
        " WHERE decided_at IS NOT NULL"
    )
    op.execute(
        """
        CREATE TABLE review_deliveries (
          item_id uuid PRIMARY KEY REFERENCES review_items (id) ON DELETE CASCADE,
          tenant_id text NOT NULL,
          created_at timestamptz NOT NULL DEFAULT now(),
          due_at timestamptz NOT NULL DEFAULT now(),
          tries integer NOT NULL DEFAULT 0,
          last_error text,
          delivered_at timestamptz,
          given_up_at timestamptz,
          CHECK (delivered_at IS NULL OR given_up_at IS NULL)
        )
        """
    )
    op.execute(
        "CREATE INDEX review_deliveries_due ON review_deliveries (tenant_id, due_at)"
        " WHERE delivered_at IS NULL AND given_up_at IS NULL"
    )
    # What was said before a tenant's key was destroyed, and is recorded later, must not come back
    # under the tenant's next key. Whoever deletes it by hand has not to think of that.
    op.execute(
        "CREATE TABLE key_destructions (tenant_id text PRIMARY KEY, at timestamptz NOT NULL)"
    )
    op.execute(
        """
        CREATE FUNCTION sluice_note_key_destruction() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          INSERT INTO key_destructions (tenant_id, at) VALUES (OLD.tenant_id, clock_timestamp())
          ON CONFLICT (tenant_id) DO UPDATE SET at = excluded.at;
          RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER tenant_keys_destroyed AFTER DELETE ON tenant_keys"
        " FOR EACH ROW EXECUTE FUNCTION sluice_note_key_destruction()"
    )


def downgrade() -> None:
    """Drop all of it; what was not delivered by then is not any more."""
    op.execute("DROP TRIGGER tenant_keys_destroyed ON tenant_keys")
    op.execute("DROP FUNCTION sluice_note_key_destruction()")
    op.execute("DROP TABLE key_destructions")
    op.execute("DROP TABLE review_deliveries")
    op.execute("DROP INDEX review_items_unstated, review_items_decided")
    op.execute("ALTER TABLE review_items DROP COLUMN stated_at")
    op.execute(
        "ALTER TABLE tenants DROP COLUMN review_webhook_url, DROP COLUMN review_webhook_salt"
    )
