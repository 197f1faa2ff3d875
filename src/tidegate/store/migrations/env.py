"""
Where Alembic begins.

It runs on the connection, and in the transaction, that `schema` hands it: it opens none.
"""

from alembic import context

from tidegate.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
)
with context.begin_transaction():
    context.run_migrations()
