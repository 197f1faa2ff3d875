"""
Whose an alarm is: what one organisation says is wrong stops nothing of another one.

Alarms from before are everybody's, as they were. Written out here and not taken from `tables`, which
goes on changing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("alarms", sa.Column("organisation", sa.Text()))


def downgrade() -> None:
    """Remove it."""
    op.drop_column("alarms", "organisation")
