"""
Which scenarios there are by name and kind, and which of them are meant. For everybody who simulates.

Incidents of the user's own and recordings are read elsewhere and come in as scenarios.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from tidegate.errors import InvalidRequestError
from tidegate.usecases.simulation.faults import AA, FAULTS
from tidegate.usecases.simulation.incidents import library
from tidegate.usecases.simulation.scenario import Kind, Scenario

USUAL: Final = frozenset({Kind.INCIDENT, Kind.FAULT, Kind.AA})
"""What is gone through where nothing is said."""


def known_scenarios() -> tuple[Scenario, ...]:
    """Return the scenarios that come with Tidegate: incidents first, the change without a fault last."""
    return (*library(), *FAULTS, AA)


def choose(
    kinds: Collection[Kind], names: Collection[str], *, recorded: Iterable[Scenario] = ()
) -> list[Scenario]:
    """
    Return the scenarios of *kinds* and those that are called by one of *names*, each once.

    Those of *recorded* are in any case, between incidents and faults.

    Raises:
        InvalidRequestError: there is none of that name.
    """
    known = known_scenarios()
    _refuse_unknown(names, known)
    meant = [one for one in known if one.kind in kinds or one.name in names]
    incidents = [one for one in meant if one.kind is Kind.INCIDENT]
    return [*incidents, *recorded, *(one for one in meant if one.kind is not Kind.INCIDENT)]


def _refuse_unknown(names: Iterable[str], known: Sequence[Scenario]) -> None:
    called = [one.name for one in known]
    unknown = sorted(set(names) - set(called))
    if unknown:
        raise InvalidRequestError(
            f"there is no scenario {unknown[0][:64]!r}", hint=f"it can be: {', '.join(called)}"
        )
