"""
The first schema.

Written out here and not taken from `tables`, which goes on changing: this must make the same tables
for ever. The triggers make the ledger append-only for everyone who isn't allowed to drop them.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WORDS: Final = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
COUNTER: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

SQLITE_TRIGGERS: Final = (
    """
    CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
    """,
    """
    CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
    """,
    # INSERT OR REPLACE deletes without asking the trigger above.
    """
    CREATE TRIGGER ledger_no_replace BEFORE INSERT ON ledger
    WHEN EXISTS (SELECT 1 FROM ledger WHERE number = NEW.number)
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END
    """,
)

POSTGRESQL_TRIGGERS: Final = (
    """
    CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$
    """,
    """
    CREATE TRIGGER ledger_no_change BEFORE UPDATE OR DELETE ON ledger
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only()
    """,
    """
    CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON ledger
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only()
    """,
)

TABLES: Final = (
    "services",
    "plans",
    "rollouts",
    "claims",
    "generations",
    "ledger",
    "outbox",
    "evidence",
    "ticks",
    "tick_segments",
    "last_known_good",
    "remembered",
)


def upgrade() -> None:
    """Make all tables."""
    _make_rollouts()
    _make_ledger()
    _make_evidence()
    _make_the_rest()
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for trigger in SQLITE_TRIGGERS if on_sqlite else POSTGRESQL_TRIGGERS:
        op.execute(trigger)


def downgrade() -> None:
    """Remove all tables, and with them everything the store knows."""
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION ledger_is_append_only()")


def _make_rollouts() -> None:
    op.create_table(
        "plans",
        sa.Column("digest", WORDS, nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_plans"),
    )
    op.create_table(
        "rollouts",
        sa.Column("id", WORDS, nullable=False),
        sa.Column("service", WORDS, nullable=False),
        sa.Column("state", WORDS, nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.Column("revision", COUNTER, nullable=False),
        sa.Column("created_at", WORDS, nullable=False),
        sa.Column("plan_hash", WORDS, nullable=False),
        sa.Column("plan_digest", WORDS, nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rollouts"),
        sa.ForeignKeyConstraint(["plan_digest"], ["plans.digest"], name="fk_rollouts_plan_digest"),
    )
    op.create_index("ix_rollouts_service_created_at", "rollouts", ["service", "created_at"])
    op.create_index("ix_rollouts_created_at", "rollouts", ["created_at"])
    op.create_index("ix_rollouts_state_settled", "rollouts", ["state", "settled"])
    op.create_table(
        "claims",
        sa.Column("service", WORDS, nullable=False),
        sa.Column("target", WORDS, nullable=False),
        sa.Column("rollout_id", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("service", "target", name="pk_claims"),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollouts.id"], name="fk_claims_rollout_id"),
    )
    op.create_table(
        "generations",
        sa.Column("service", WORDS, nullable=False),
        sa.Column("target", WORDS, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("service", "target", name="pk_generations"),
    )


def _make_ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("number", COUNTER, autoincrement=False, nullable=False),
        sa.Column("at", WORDS, nullable=False),
        sa.Column("rollout_id", WORDS, nullable=False),
        sa.Column("service", WORDS, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("because", sa.Text(), nullable=False),
        sa.Column("state_before", sa.Text(), nullable=False),
        sa.Column("state_after", sa.Text(), nullable=False),
        sa.Column("observation_json", sa.Text()),
        sa.Column("decision_json", sa.Text()),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_ledger"),
    )
    op.create_index("ix_ledger_rollout_id_number", "ledger", ["rollout_id", "number"])
    op.create_table(
        "outbox",
        sa.Column("id", COUNTER, autoincrement=True, nullable=False),
        sa.Column("at", WORDS, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("rollout_id", WORDS, nullable=False),
        sa.Column("payload_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sqlite_autoincrement=True,
    )


def _make_evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("rollout_id", WORDS, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("ticks", sa.Integer(), nullable=False),
        sa.Column("at", WORDS, nullable=False),
        sa.Column("state_json", sa.Text(), nullable=False),
        sa.Column("evidence_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", name="pk_evidence"),
    )
    op.create_table(
        "ticks",
        sa.Column("rollout_id", WORDS, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tick_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", "attempt", "number", name="pk_ticks"),
    )
    op.create_table(
        "tick_segments",
        sa.Column("rollout_id", WORDS, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.Column("first_number", sa.Integer(), nullable=False),
        sa.Column("compressed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("rollout_id", "attempt", "last_number", name="pk_tick_segments"),
    )


def _make_the_rest() -> None:
    op.create_table(
        "services",
        sa.Column("name", WORDS, nullable=False),
        sa.Column("canonical_json", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("updated_at", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_services"),
    )
    op.create_table(
        "last_known_good",
        sa.Column("position", COUNTER, autoincrement=True, nullable=False),
        sa.Column("service", WORDS, nullable=False),
        sa.Column("component", WORDS, nullable=False),
        sa.Column("target", WORDS, nullable=False),
        sa.Column("version_name", sa.Text(), nullable=False),
        sa.Column("version_digest", sa.Text(), nullable=False),
        sa.Column("rollout_id", WORDS, nullable=False),
        sa.Column("since", WORDS, nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_last_known_good"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_last_known_good_service_component_target_rollout_id",
        "last_known_good",
        ["service", "component", "target", "rollout_id"],
        unique=True,
    )
    op.create_table(
        "remembered",
        sa.Column("key", WORDS, nullable=False),
        sa.Column("at", WORDS, nullable=False),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body_json", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_remembered"),
    )
