"""
Records of governance, and the details of an entry of the ledger.

Written out here and not taken from `tables`, which goes on changing.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WORDS: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table and add the column."""
    op.create_table(
        "filed",
        sa.Column("kind", WORDS, nullable=False),
        sa.Column("id", WORDS, nullable=False),
        sa.Column("service", WORDS),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("at", WORDS, nullable=False),
        sa.Column("record_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name="pk_filed"),
    )
    op.create_index("ix_filed_kind_is_open_service", "filed", ["kind", "is_open", "service"])
    op.create_index("ix_filed_kind_service_at", "filed", ["kind", "service", "at"])
    op.add_column("ledger", sa.Column("details_json", sa.Text()))


def downgrade() -> None:
    """Remove them."""
    op.drop_column("ledger", "details_json")
    op.drop_table("filed")
