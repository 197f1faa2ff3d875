"""
What people may write into a review: how long it may be, and which signs it may have.

Rule: a text is taken as it was written or refused with the reason, and never shortened or changed in
silence. Only what surrounds it and how its lines end is evened out. Blame isn't refused: see `blameless`.
"""

import unicodedata
from typing import Final

from tidegate.errors import InvalidRequestError

LONGEST_TEXT: Final = 1_000
"""Characters of a factor or an action: a paragraph. What needs more has a document of its own to link to."""

LONGEST_OWNER: Final = 100

_UNSEEN: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Categories of signs that nobody sees and that do something: control characters, halves of pairs, breaks."""

_TURNING: Final = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""Signs that turn the direction of what follows, so that a text reads otherwise than it was stored."""


def checked_text(written: str, *, of: str) -> str:
    """
    Return *written* as it is kept: trimmed, with lines that end alike.

    Args:
        written: What somebody wrote.
        of: What it is the text of, for the refusal.

    Raises:
        InvalidRequestError: nothing is in it, it is too long, or it has signs that nobody sees.
    """
    text = written.replace("\r\n", "\n").replace("\r", "\n").strip()
    return _checked(text, f"the text of {of}", LONGEST_TEXT, also="\n")


def checked_owner(written: str, *, of: str) -> str:
    """Return *written*, a team or a person, as it is kept. Raises InvalidRequestError as `checked_text`."""
    return _checked(written.strip(), f"the owner of {of}", LONGEST_OWNER)


def _checked(text: str, name: str, longest: int, *, also: str = "") -> str:
    if not text:
        raise InvalidRequestError(f"{name} is empty", hint="write it, or leave it as it is")
    if len(text) > longest:
        raise InvalidRequestError(
            f"{name} has {len(text)} characters, at most {longest} are kept",
            hint="say it in less, and link to what says more",
        )
    for place, sign in enumerate(text, 1):
        if sign not in also and (unicodedata.category(sign) in _UNSEEN or sign in _TURNING):
            raise InvalidRequestError(
                f"{name} has the sign U+{ord(sign):04X} as character {place}, which nobody sees",
                hint="take it out: it may have come along from where the text was copied",
            )
    return text
