"""
Points for charts of a rollout's evidence, and how much each service is used by the hour.

Written out here and not taken from `tables`, which goes on changing.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WORDS: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "evidence_points",
        sa.Column("rollout_id", WORDS, nullable=False),
        sa.Column("at", WORDS, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("numbers_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", "at", name="pk_evidence_points"),
    )
    op.create_table(
        "traffic_hours",
        sa.Column("service", WORDS, nullable=False),
        sa.Column("target", WORDS, nullable=False),
        sa.Column("hour", WORDS, nullable=False),
        sa.Column("watched_ms", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("bad", sa.BigInteger(), nullable=False),
        sa.Column("people", sa.BigInteger()),
        sa.PrimaryKeyConstraint("service", "target", "hour", name="pk_traffic_hours"),
    )


def downgrade() -> None:
    """Remove both tables."""
    op.drop_table("traffic_hours")
    op.drop_table("evidence_points")
