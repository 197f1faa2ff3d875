"""The rows of the fleet: one per rollout, by service; what is under way before what is quiet."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import groupby
from typing import Final

from tidegate.api.showing.fleet.cells import (
    NOT_OF_IT,
    Cell,
    Column,
    Reach,
    cells_of,
    short_version,
)
from tidegate.api.words import rough_words, state_words
from tidegate.domain.quantities import RolloutId
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode, Rollout, WhoCanAct
from tidegate.usecases.fleet import Fleet
from tidegate.usecases.fleet_needs import Need
from tidegate.usecases.fleet_next import bake_left

LONGEST_WAIT: Final = 90
"""Characters of a wait's words in a row; the rollout's own page says all of it."""


@dataclass(frozen=True, kw_only=True)
class FleetRow:
    """One rollout as a row. `waits` is what it waits for in a few words, `until` until when."""

    rollout: Rollout
    owner: str
    change: str
    kinds: tuple[str, ...]
    cells: Mapping[Column, Cell]
    waits: str
    until: datetime | None
    who: str
    needs_person: bool

    @property
    def mark_state(self) -> str:
        """The state as the marks and colours know it."""
        return self.rollout.state.value

    @property
    def is_quiet(self) -> bool:
        """Whether nothing of it is under way."""
        return self.rollout.is_final

    @cached_property
    def about(self) -> Mapping[str, Collection[str]]:
        """What a filter may ask of it, in lower case."""
        return {
            "service": (self.rollout.service.lower(),),
            "owner": (self.owner.lower(),),
            "state": (self.rollout.state.value,),
            "kind": tuple(kind.lower() for kind in self.kinds),
            "target": tuple(column.target.lower() for column in self.cells),
            "ring": tuple({column.ring.lower() for column in self.cells}),
            "by": (self.rollout.created_by.lower(),),
            "needs": ("person",) if self.needs_person else (),
        }

    @cached_property
    def text(self) -> str:
        """All its words, in lower case."""
        rollout = self.rollout
        words = (
            rollout.service,
            rollout.id,
            self.change,
            self.owner,
            self.waits,
            rollout.plan.name,
        )
        return " ".join(words).lower()

    def reach_words(self) -> str:
        """Return where it is, for where there is no room for cells: `3 of 6 done, eu-1 10%`."""
        done = sum(1 for cell in self.cells.values() if cell.reach is Reach.DONE)
        moving = [
            f"{column.target} {cell.words}"
            for column, cell in self.cells.items()
            if cell.reach in (Reach.NOW, Reach.PART)
        ]
        more = f" and {len(moving) - 2} more" if len(moving) > 2 else ""
        return (
            f"{done} of {len(self.cells)} done" + "".join(f", {one}" for one in moving[:2]) + more
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRows:
    """The rows of one service."""

    service: str
    rows: tuple[FleetRow, ...]


def rows_of(fleet: Fleet, needs: Sequence[Need]) -> tuple[FleetRow, ...]:
    """Return a row for each rollout of *fleet*."""
    needing = {need.rollout.id for need in needs if need.rollout is not None}
    return tuple(_row(fleet, rollout, needing) for rollout in fleet.rollouts)


def by_service(rows: Sequence[FleetRow]) -> tuple[ServiceRows, ...]:
    """Return *rows* grouped by service, those with anything under way first, then by name."""
    groups = [
        ServiceRows(service=service, rows=tuple(found))
        for service, found in groupby(rows, key=lambda row: row.rollout.service)
    ]
    return tuple(sorted(groups, key=lambda one: (all(r.is_quiet for r in one.rows), one.service)))


def line_of(row: FleetRow, columns: Sequence[Column]) -> list[Cell]:
    """Return the cells of *row* under *columns*."""
    return [row.cells.get(column, NOT_OF_IT) for column in columns]


def elsewhere(row: FleetRow, columns: Collection[Column]) -> str:
    """Return what *row* is on targets that have no column, "" for none of them."""
    others = [cell for column, cell in row.cells.items() if column not in columns]
    if not others:
        return ""
    done = sum(1 for cell in others if cell.reach is Reach.DONE)
    return f"{done} of {len(others)}"


def change_words(rollout: Rollout) -> tuple[str, tuple[str, ...]]:
    """Return what changes in a few words (`code 2.14.1 from 2.13.0`), and of which kinds."""
    kinds = {component.name: component.kind for component in rollout.components}
    before = {place.component: version for place, version in reversed(rollout.baselines)}
    parts = []
    for part in rollout.change.components:
        kind = kinds.get(part.component, "")
        name = part.component if kind in ("", part.component) else f"{kind} {part.component}"
        old = before.get(part.component)
        known = old is not None and old != part.to and not rollout.is_return
        came = f" from {short_version(old.name)}" if known and old is not None else ""
        parts.append(f"{name} {short_version(part.to.name)}{came}")
    found = dict.fromkeys(
        kind for part in rollout.change.components if (kind := kinds.get(part.component, ""))
    )
    return " + ".join(parts), tuple(found)


def _row(fleet: Fleet, rollout: Rollout, needing: Collection[RolloutId]) -> FleetRow:
    change, kinds = change_words(rollout)
    waits, until = _waits(fleet, rollout)
    return FleetRow(
        rollout=rollout,
        owner=fleet.owners.get(rollout.service, ""),
        change=change,
        kinds=kinds,
        cells=cells_of(rollout),
        waits=waits,
        until=until,
        who=""
        if rollout.waiting_on.who_can_act is WhoCanAct.NOBODY
        else rollout.waiting_on.who_can_act,
        needs_person=rollout.id in needing,
    )


def _waits(fleet: Fleet, rollout: Rollout) -> tuple[str, datetime | None]:
    waits = rollout.waiting_on
    if rollout.state is State.COMPLETED and not rollout.settled:
        return "old version kept", waits.until
    if rollout.is_final:
        return "", None
    if rollout.state is State.BAKING:
        left = bake_left(rollout, fleet.evidence.get(rollout.id), fleet.now)
        if left is None:
            return "bake not watched yet", None
        if left.total_seconds() > 0:
            return f"{rough_words(left.total_seconds())} of bake left", fleet.now + left
    label = "" if waits.reason is ReasonCode.NOTHING else f"{state_words(waits.reason)}: "
    return _cut(f"{label}{waits.detail}"), waits.until


def _cut(words: str) -> str:
    return words if len(words) <= LONGEST_WAIT else f"{words[: LONGEST_WAIT - 1]}…"
