"""
What the hash of an entry covers. There are two schemes, and every entry holds under exactly one.

Scheme 2, of all new entries, covers the digests of the records that a decision was made from, so that
a ledger can be handed out and verified without them: they hold settings of services. Scheme 1 covers
their text. Entries are never hashed anew, so both are verified for ever.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Protocol

from tidegate.documents.canonical import canonical_json

GENESIS_HASH: Final = "0" * 64
"""What the first entry has for the hash before it."""

SCHEME: Final = 2
"""The scheme of new entries."""


class Fact(Protocol):
    """The fields of an entry that is hashed, see `ports.store.NewEntry`."""

    @property
    def at(self) -> datetime: ...  # noqa: D102
    @property
    def rollout_id(self) -> str: ...  # noqa: D102
    @property
    def service(self) -> str: ...  # noqa: D102
    @property
    def actor(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def rule(self) -> str: ...  # noqa: D102
    @property
    def because(self) -> str: ...  # noqa: D102
    @property
    def state_before(self) -> str: ...  # noqa: D102
    @property
    def state_after(self) -> str: ...  # noqa: D102
    @property
    def observation_json(self) -> str | None: ...  # noqa: D102
    @property
    def decision_json(self) -> str | None: ...  # noqa: D102
    @property
    def details_json(self) -> str | None: ...  # noqa: D102


def covered(fact: Fact, *, number: int, previous_hash: str, scheme: int = SCHEME) -> dict[str, Any]:
    """Return all that the hash of *fact* covers, at its place in the chain."""
    common = {
        "number": number,
        "previous_hash": previous_hash,
        "at": fact.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "rollout_id": fact.rollout_id,
        "service": fact.service,
        "actor": fact.actor,
        "kind": fact.kind,
        "rule": fact.rule,
        "because": fact.because,
        "state_before": fact.state_before,
        "state_after": fact.state_after,
    }
    if scheme == 1:
        records = {
            "observation_json": fact.observation_json,
            "decision_json": fact.decision_json,
        }
        # Entries of before had no details: their hashes must stay what they are.
        told = {} if fact.details_json is None else {"details_json": fact.details_json}
        return {**common, **records, **told}
    return {
        **common,
        "scheme": scheme,
        "observation_digest": record_digest(fact.observation_json),
        "decision_digest": record_digest(fact.decision_json),
        "details_json": fact.details_json,
    }


def hash_of(content: Mapping[str, Any]) -> str:
    """
    Return the hash of what is *covered*: 64 hexadecimal digits, SHA-256 over its RFC 8785 text.

    Raises:
        ValueError, TypeError: *content* has no canonical text.
    """
    return sha256(canonical_json(dict(content)).encode("utf-8")).hexdigest()


def record_digest(record: str | None) -> str | None:
    """Return the SHA-256 of a record's text in hexadecimal digits, None when there is no record."""
    return None if record is None else sha256(record.encode("utf-8")).hexdigest()
