"""Alembic's entry point: uses the connection that `migrate.upgrade` holds."""

from alembic import context

from plugins.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
