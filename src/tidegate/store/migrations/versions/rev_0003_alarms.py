"""
Alarms: alerts and reports from outside.

Written out here and not taken from `tables`, which goes on changing.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WORDS: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "alarms",
        sa.Column("id", WORDS, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("service", WORDS),
        sa.Column("target", WORDS),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("source", WORDS, nullable=False),
        sa.Column("fingerprint", WORDS, nullable=False),
        sa.Column("labels_json", sa.Text(), nullable=False),
        sa.Column("raised_at", WORDS, nullable=False),
        sa.Column("raised_by", sa.Text(), nullable=False),
        sa.Column("resolved_at", WORDS),
        sa.Column("resolved_by", sa.Text()),
        sa.Column("resolution", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_alarms"),
    )
    op.create_index("ix_alarms_source_fingerprint", "alarms", ["source", "fingerprint"])
    op.create_index("ix_alarms_resolved_at", "alarms", ["resolved_at"])
    op.create_index("ix_alarms_raised_at", "alarms", ["raised_at"])


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("alarms")
