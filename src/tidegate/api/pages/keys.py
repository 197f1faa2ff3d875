"""
The keys of the pages, in one table: the help is made of it, and the script does what it says.

A key with `does` is the script's own doing, by that name. Any other presses what carries it (`data-key`),
which a screen may have or not. Keys that lead to screens stand with the screens, in the navigation.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tidegate.api.pages.page_words import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """
    A line of the help: keys that belong together, and what they do.

    `does` names what the script does for each of them, in their order; empty where they press something.
    """

    keys: tuple[str, ...]
    says: str
    does: tuple[str, ...] = ()

    def each(self) -> tuple[tuple[str, str], ...]:
        """Return each key with what the script does for it."""
        does = self.does or ("",) * len(self.keys)
        return tuple(zip(self.keys, does, strict=True))


KEYS: Final = (
    Keys(keys=("/",), says="filter"),
    Keys(keys=("j", "k"), says="next and previous row", does=("next-row", "previous-row")),
    Keys(keys=("Enter",), says="open it"),
    Keys(keys=("f",), says="next that needs somebody", does=("next-need",)),
    Keys(keys=("w",), says="why"),
    Keys(keys=("h",), says="halt: opens the confirmation, Enter sends it"),
    Keys(keys=("H",), says="to what stops everything"),
    Keys(keys=("r",), says="roll back"),
    Keys(keys=("a", "x"), says="approve (or agree), reject"),
    Keys(keys=("u",), says="resume, lift"),
    Keys(keys=("e",), says="declare an emergency"),
    Keys(keys=("n",), says="announce a freeze"),
    Keys(keys=("c", "d"), says="add a contributing factor, an action"),
    Keys(keys=("m",), says="only what I can give"),
    Keys(keys=("t",), says="table or chart"),
    Keys(keys=(".",), says="copy as a command"),
    Keys(keys=("?",), says="this list", does=("help",)),
)


def keys_of(places: Iterable[Place]) -> tuple[Keys, ...]:
    """Return every line of the help: how to get to each of *places*, and `KEYS`."""
    ways = (
        Keys(keys=tuple(place.keys.split(" ")), says=f"to {place.label}")
        for place in places
        if place.keys
    )
    return (*ways, *KEYS)
