"""Runs the migrations on the connection that `storage.database` hands over."""

from alembic import context

from tallystick.storage.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
