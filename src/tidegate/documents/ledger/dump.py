"""
The form of a dump: one header, then every entry, then every head, each a line of canonical JSON.

    {"entries":2,"heads":1,"keys":[{"key_id":"…","public":"…"}],"tidegate_ledger":1}
    {"entry":{…all that its hash covers…},"hash":"…"}
    {"entry":{…},"hash":"…"}
    {"head":{…}}

There is one way to write a dump of a ledger, so any byte that is another one is seen. Everything in it
can be checked against something else in it: there is no field that could be changed unnoticed, and no
checksum that whoever changes it would make again.
"""

from collections.abc import Sequence
from typing import Final

from tidegate.documents.canonical import canonical_json
from tidegate.documents.ledger.chain import SCHEME, Fact, covered, hash_of
from tidegate.documents.ledger.heads import head_content
from tidegate.domain.ledger.model import Head, SigningKey

FORMAT_VERSION: Final = 1
FORMAT_KEY: Final = "tidegate_ledger"


def header_line(*, entries: int, heads: int, keys: Sequence[SigningKey]) -> bytes:
    """Return the first line of a dump."""
    listed = [{"key_id": key.key_id, "public": key.public} for key in keys]
    return _line({FORMAT_KEY: FORMAT_VERSION, "entries": entries, "heads": heads, "keys": listed})


def entry_line(fact: Fact, *, number: int, previous_hash: str, entry_hash: str) -> bytes:
    """Return the line of an entry, in the scheme under which its hash holds."""
    for scheme in (SCHEME, 1):
        content = covered(fact, number=number, previous_hash=previous_hash, scheme=scheme)
        if hash_of(content) == entry_hash:
            break
    else:
        # It holds under none: whoever verifies the dump has to see that, and not this program stop.
        content = covered(fact, number=number, previous_hash=previous_hash)
    return _line({"entry": content, "hash": entry_hash})


def head_line(head: Head) -> bytes:
    """Return the line of a head."""
    return _line({"head": head_content(head)})


def _line(content: dict[str, object]) -> bytes:
    return canonical_json(content).encode("utf-8") + b"\n"
