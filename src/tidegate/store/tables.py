"""
The tables of the store, for SQLite and PostgreSQL alike.

Rule: one schema for both. Times are text in UTC with microseconds, so that what is hashed, compared and
kept is the same everywhere; names compare byte by byte (PostgreSQL would use the language of its
server). A rollout is one record of JSON beside the columns that are searched.

What the tables mean is in the modules that read them. A change here needs a migration; a test
compares the two.
"""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator, TypeEngine

NAMING: Final = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
}
"""Names that migrations can rely on, whatever a database would have invented."""

Words: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""Names and ids."""
Counter: Final = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits in both: SQLite only counts up by itself in a column declared INTEGER."""


class Instant(TypeDecorator[datetime]):
    """An aware instant, kept as text in UTC that sorts by time."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return text that compares byte by byte."""
        return dialect.type_descriptor(Words)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Return what is kept of *value*."""
        return None if value is None else instant_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Return the instant that was kept."""
        return None if value is None else datetime.fromisoformat(value)


def instant_text(at: datetime) -> str:
    """Return *at* in UTC, always with microseconds."""
    assert at.tzinfo is not None, f"a time without a zone can't be kept: {at}"
    return at.astimezone(UTC).isoformat(timespec="microseconds")


metadata: Final = MetaData(naming_convention=NAMING)

services: Final = Table(
    "services",
    metadata,
    Column("name", Words, primary_key=True),
    Column("canonical_json", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

plans: Final = Table(
    "plans",
    metadata,
    Column("digest", Words, primary_key=True),
    Column("record", Text, nullable=False),
)

rollouts: Final = Table(
    "rollouts",
    metadata,
    Column("id", Words, primary_key=True),
    Column("service", Words, nullable=False),
    Column("state", Words, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("revision", Counter, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("plan_hash", Words, nullable=False),
    Column("plan_digest", Words, ForeignKey("plans.digest"), nullable=False),
    Column("record", Text, nullable=False),
    Index(None, "service", "created_at"),
    Index(None, "created_at"),
    Index(None, "state", "settled"),
)

claims: Final = Table(
    "claims",
    metadata,
    Column("service", Words, primary_key=True),
    Column("target", Words, primary_key=True),
    Column("rollout_id", Words, ForeignKey("rollouts.id"), nullable=False),
)
"""Which active rollout has a target of a service. The key is the promise: at most one."""

generations: Final = Table(
    "generations",
    metadata,
    Column("service", Words, primary_key=True),
    Column("target", Words, primary_key=True),
    Column("generation", BigInteger, nullable=False),
)

ledger: Final = Table(
    "ledger",
    metadata,
    Column("number", Counter, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("rollout_id", Words, nullable=False),
    Column("service", Words, nullable=False),
    Column("actor", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("state_before", Text, nullable=False),
    Column("state_after", Text, nullable=False),
    Column("observation_json", Text),
    Column("decision_json", Text),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("details_json", Text),
    Index(None, "rollout_id", "number"),
    Index(None, "service", "number"),
)

outbox: Final = Table(
    "outbox",
    metadata,
    Column("id", Counter, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("type", Text, nullable=False),
    Column("rollout_id", Words, nullable=False),
    Column("payload_json", Text, nullable=False),
    sqlite_autoincrement=True,
)

evidence: Final = Table(
    "evidence",
    metadata,
    Column("rollout_id", Words, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("ticks", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("state_json", Text, nullable=False),
    Column("evidence_json", Text, nullable=False),
)

ticks: Final = Table(
    "ticks",
    metadata,
    Column("rollout_id", Words, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("tick_json", Text, nullable=False),
)

tick_segments: Final = Table(
    "tick_segments",
    metadata,
    Column("rollout_id", Words, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    # The last number and not the first is in the key: "is tick n in a segment?" is then one seek to
    # the first segment that ends at n or after it.
    Column("last_number", Integer, primary_key=True),
    Column("first_number", Integer, nullable=False),
    Column("compressed", LargeBinary, nullable=False),
)

evidence_points: Final = Table(
    "evidence_points",
    metadata,
    Column("rollout_id", Words, primary_key=True),
    Column("at", Instant, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("phase", Integer, nullable=False),
    Column("numbers_json", Text, nullable=False),
)

traffic_hours: Final = Table(
    "traffic_hours",
    metadata,
    Column("service", Words, primary_key=True),
    Column("target", Words, primary_key=True),
    Column("hour", Instant, primary_key=True),
    Column("watched_ms", BigInteger, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("bad", BigInteger, nullable=False),
    Column("people", BigInteger),
)

alarms: Final = Table(
    "alarms",
    metadata,
    Column("id", Words, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("service", Words),
    Column("target", Words),
    Column("summary", Text, nullable=False),
    Column("source", Words, nullable=False),
    Column("fingerprint", Words, nullable=False),
    Column("labels_json", Text, nullable=False),
    Column("raised_at", Instant, nullable=False),
    Column("raised_by", Text, nullable=False),
    Column("resolved_at", Instant),
    Column("resolved_by", Text),
    Column("resolution", Text, nullable=False),
    Column("organisation", Text),
    Index(None, "source", "fingerprint"),
    Index(None, "resolved_at"),
    Index(None, "raised_at"),
)

filed: Final = Table(
    "filed",
    metadata,
    Column("kind", Words, primary_key=True),
    Column("id", Words, primary_key=True),
    Column("service", Words),
    Column("is_open", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
    Column("record_json", Text, nullable=False),
    Index(None, "kind", "is_open", "service"),
    Index(None, "kind", "service", "at"),
)
"""Records of governance: stop orders, gates' evidence, freezes, tokens, grants and their like."""

last_known_good: Final = Table(
    "last_known_good",
    metadata,
    Column("position", Counter, primary_key=True),
    Column("service", Words, nullable=False),
    Column("component", Words, nullable=False),
    Column("target", Words, nullable=False),
    Column("version_name", Text, nullable=False),
    Column("version_digest", Text, nullable=False),
    Column("rollout_id", Words, nullable=False),
    Column("since", Instant, nullable=False),
    Index(None, "service", "component", "target", "rollout_id", unique=True),
    sqlite_autoincrement=True,
)

remembered: Final = Table(
    "remembered",
    metadata,
    Column("key", Words, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("request_digest", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body_json", Text, nullable=False),
)
