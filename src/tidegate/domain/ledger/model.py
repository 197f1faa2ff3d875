"""
Heads of the ledger, and what is known of those who keep them elsewhere. Only the types.

A hash chain shows that nothing inside it was changed. That its end wasn't cut off, and that not two
of them are shown to two people, only somebody can tell who knows an earlier head: the witness.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

NO_HEAD: Final = "0" * 64
"""What the first head has for the hash of the head before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """
    A signed statement of how the ledger stood.

    `number` counts the heads from 1. `entries` is how many entries there were, which is the number
    of the last one, and `entry_hash` the hash of that. `previous_head` is the hash of the head
    before, signature included. `key_id` names the key, `signature` is Ed25519 in hexadecimal
    digits.
    """

    number: int
    entries: int
    entry_hash: str
    at: datetime
    previous_head: str
    key_id: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A public key that heads were signed with, in hexadecimal digits, and since when it is known."""

    key_id: str
    public: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessState:
    """
    What a witness was told so far.

    `head` is the number of the last head it confirmed, 0 for none, and `head_at` that head's time.
    `told_at` is when it confirmed, `failing_since` since when it can't be told, with `problem` in
    words. `conflict` is what it said when it knows another history; no retry mends that.
    """

    name: str
    head: int = 0
    head_at: datetime | None = None
    told_at: datetime | None = None
    failing_since: datetime | None = None
    tries: int = 0
    problem: str = ""
    conflict: str = ""
    changed_at: datetime
