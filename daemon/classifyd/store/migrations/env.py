"""Alembic's entry: runs migrations on the connection that `classifyd.store.schema` passes.

Foreign keys are off on that connection (SQLite's default), so that a migration may rebuild a table.
"""

from alembic import context

from classifyd.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
)
context.run_migrations()
