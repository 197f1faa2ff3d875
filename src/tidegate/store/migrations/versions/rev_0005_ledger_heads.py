"""
Heads of the ledger are only ever added, as its entries are; and entries are found by their service.

Written out here and not taken from `tables`, which goes on changing.
"""

from typing import Final

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

SQLITE_TRIGGERS: Final = {
    "ledger_head_no_update": """
    CREATE TRIGGER ledger_head_no_update BEFORE UPDATE ON filed
    WHEN OLD.kind = 'ledger_head' OR NEW.kind = 'ledger_head'
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
    """,
    "ledger_head_no_delete": """
    CREATE TRIGGER ledger_head_no_delete BEFORE DELETE ON filed
    WHEN OLD.kind = 'ledger_head'
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
    """,
    # INSERT OR REPLACE deletes without asking the trigger above.
    "ledger_head_no_replace": """
    CREATE TRIGGER ledger_head_no_replace BEFORE INSERT ON filed
    WHEN NEW.kind = 'ledger_head'
    AND EXISTS (SELECT 1 FROM filed WHERE kind = 'ledger_head' AND id = NEW.id)
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
    """,
}

POSTGRESQL_TRIGGERS: Final = {
    "ledger_head_no_update": """
    CREATE TRIGGER ledger_head_no_update BEFORE UPDATE ON filed FOR EACH ROW
    WHEN (OLD.kind = 'ledger_head' OR NEW.kind = 'ledger_head')
    EXECUTE FUNCTION ledger_is_append_only()
    """,
    "ledger_head_no_delete": """
    CREATE TRIGGER ledger_head_no_delete BEFORE DELETE ON filed FOR EACH ROW
    WHEN (OLD.kind = 'ledger_head')
    EXECUTE FUNCTION ledger_is_append_only()
    """,
    "ledger_head_no_truncate": """
    CREATE TRIGGER ledger_head_no_truncate BEFORE TRUNCATE ON filed
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only()
    """,
}


def upgrade() -> None:
    """Add the index and the triggers."""
    op.create_index("ix_ledger_service_number", "ledger", ["service", "number"])
    for trigger in _triggers().values():
        op.execute(trigger)


def downgrade() -> None:
    """Remove them."""
    on_table = " ON filed" if op.get_bind().dialect.name == "postgresql" else ""
    for name in _triggers():
        op.execute(f"DROP TRIGGER {name}{on_table}")
    op.drop_index("ix_ledger_service_number", table_name="ledger")


def _triggers() -> dict[str, str]:
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    return SQLITE_TRIGGERS if on_sqlite else POSTGRESQL_TRIGGERS
