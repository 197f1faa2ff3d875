"""
The people of the load: who asks next, and who stays away from a version they were told to avoid.

A user keeps their number, so a sticky proxy keeps them on their side. Avoiding a version is how the lab
makes it silent: who meets the version stays away from then on, and only few people are left to ask, so
that after a handful of requests nobody comes to it any more, while the load as a whole goes on.
"""

import random
from typing import Final

FEW: Final = 50
"""How many people ask while a version is avoided: enough to look busy, few enough that a growing
share of exposure sends only a handful of them to the version before they stay away."""


class Users:
    """Everyone who may ask, numbered from 0."""

    def __init__(self, *, count: int, chance: random.Random) -> None:
        self._count = count
        self._chance = chance
        self._met: dict[int, str] = {}
        self._avoided: str | None = None
        self._few: list[int] = []

    def avoid(self, version: str | None) -> None:
        """Keep people away from *version* from now on; None lets everyone come again."""
        if version == self._avoided:
            return
        self._avoided = version
        self._few = [] if version is None else self._chosen_few(version)

    def next(self) -> int | None:
        """Return who asks next; None when nobody is left who wouldn't meet the avoided version."""
        if self._avoided is None:
            return self._chance.randrange(self._count)
        return self._chance.choice(self._few) if self._few else None

    def _chosen_few(self, version: str) -> list[int]:
        """Return people known to be served elsewhere, latest first, then people nobody knows yet."""
        chosen = [user for user, met in reversed(self._met.items()) if met != version][:FEW]
        among = range(min(FEW + len(self._met), self._count))
        chosen += [user for user in among if user not in self._met][: FEW - len(chosen)]
        return chosen

    def met(self, user: int, version: str) -> None:
        """Note that *user* was answered by *version*."""
        # Put at the end, so that the latest known are the first to be asked again.
        self._met.pop(user, None)
        self._met[user] = version
        if version == self._avoided and user in self._few:
            self._few.remove(user)
