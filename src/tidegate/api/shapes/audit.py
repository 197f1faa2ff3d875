"""The ledger as a whole: found entries, signed heads, and the keys that they are signed with."""

from pydantic import Field

from tidegate.api.shapes.base import Instant, Shape, WireInteger
from tidegate.api.shapes.ledger import Entry


class FoundEntry(Entry):
    """One entry, with the person behind the actor where one is on record."""

    on_behalf_of: str
    details_json: str | None = Field(description="What else belongs to the fact; JSON.")


class FoundEntries(Shape):
    """Entries, newest first."""

    entries: list[FoundEntry]
    next_before: WireInteger | None = Field(
        description="Ask with `before` = this for older ones; null when there are none."
    )
    as_of: Instant = Field(description="The server's time when this was made.")


class Head(Shape):
    """A signed statement of how the ledger stood."""

    number: WireInteger
    entries: WireInteger = Field(description="How many entries it covers.")
    entry_hash: str
    at: Instant
    previous_head: str
    key_id: str
    signature: str = Field(description="Ed25519, hexadecimal digits.")


class Key(Shape):
    """A public key that heads are or were signed with."""

    key_id: str
    public: str = Field(description="Ed25519, 64 hexadecimal digits.")
    since: Instant


class Heads(Shape):
    """The latest heads, newest first, and every key."""

    heads: list[Head]
    keys: list[Key]
    entries: WireInteger = Field(description="How many entries the ledger has now.")
    as_of: Instant = Field(description="The server's time when this was made.")


class Witness(Shape):
    """Somebody elsewhere who keeps heads, and how far they are."""

    name: str
    head: WireInteger = Field(description="The last head that it confirmed, 0 for none.")
    told_at: Instant | None
    heads_behind: WireInteger
    behind_since: Instant | None = Field(description="When the first head it lacks was signed.")
    failing_since: Instant | None
    problem: str
    conflict: str = Field(description="Not empty when it was shown another history.")


class Witnesses(Shape):
    """Every witness of this server."""

    witnesses: list[Witness]
    as_of: Instant = Field(description="The server's time when this was made.")
