"""
What a type of emergency demands and allows: criteria, who, how much faster, what is put off, until when.

A protocol can shorten and put off; there is nothing in it by which a phase, the pinning of what is
deployed, a halt or the record of it could be left out. What it may hold is checked here once, for
whatever reads one: the bounds are the product's and no policy moves them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from tidegate.domain.conditions.model import Mistake
from tidegate.domain.conditions.parse import parse

LEAST_PERSONS: Final = 2
"""Nobody goes faster alone."""

SMALLEST_FLOOR: Final = timedelta(seconds=1)
PRODUCTION_FLOOR: Final = timedelta(minutes=10)
"""The least bake on a production target, whatever a protocol says (unless the plan itself bakes less)."""

GREATEST_DIVISOR: Final = 100
LONGEST_AUTHORITY: Final = timedelta(hours=24)
LONGEST_DEBT: Final = timedelta(hours=24)

ALWAYS_KEPT: Final = frozenset({"digest"})
"""Kinds of gates that no protocol puts off: what runs is what was looked at."""

OF_THE_SURROUNDINGS: Final = frozenset({"blockers", "error-budget", "healthy", "no-incident"})
"""
Kinds that ask whether all is well around the change and not about the change. In an emergency it isn't, so
that their red can't halt what shall mend it; it is owed all the same until they are green.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponsePlan:
    """
    The emergency response plan that a protocol belongs to, by reference.

    `valid_until` is the last day that it is valid; None says that it doesn't end.
    """

    id: str
    version: str
    roles: tuple[str, ...]
    valid_until: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyProtocol:
    """
    The fixed way of one type of emergency.

    `criteria` is the text of a condition over the facts. `declare` and `authorise` name groups or
    roles, empty for everyone who has the permission; `persons` of them, at least two, must say yes,
    and one of them must be somebody else than the declarer. Bakes are divided by `divide_by` but not
    below `floor`. `out_of_band` and `never_skip` name gates or their kinds. `tests` names the smaller
    suite that runs before, empty for none. `debt_owner` is empty for the service's owner.
    `keeps_approvals` says that phases still wait for the approvals of the plan; otherwise the
    authorisation stands in for them.
    """

    type: str
    version: str
    criteria: str
    declare: tuple[str, ...]
    authorise: tuple[str, ...]
    persons: int
    divide_by: float
    floor: timedelta
    out_of_band: tuple[str, ...]
    never_skip: tuple[str, ...]
    expires_after: timedelta
    tests: str
    plan: ResponsePlan | None
    debt_due: timedelta
    debt_owner: str
    keeps_approvals: bool

    def puts_off(self, name: str, kind: str) -> bool:
        """Return whether the gate *name* of *kind* runs out of band."""
        kept = kind in ALWAYS_KEPT or bool({name, kind} & set(self.never_skip))
        return not kept and bool({name, kind} & set(self.out_of_band))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolProblem:
    """What is wrong with a protocol: at which key, in words, with what would be right."""

    key: tuple[str, ...]
    message: str
    fix: str


def problems_of(protocol: EmergencyProtocol) -> tuple[ProtocolProblem, ...]:
    """Return what *protocol* may not hold; empty for one that can be used."""
    return tuple(_problems(protocol))


def _problems(protocol: EmergencyProtocol) -> Iterable[ProtocolProblem]:
    criteria = parse(protocol.criteria)
    if isinstance(criteria, Mistake):
        yield _problem("criteria", f"the criteria, {criteria}", criteria.fix)
    if protocol.persons < LEAST_PERSONS:
        yield _problem(
            "authorise",
            f"{protocol.persons} person would do, and an emergency needs {LEAST_PERSONS}",
            f"write at least {LEAST_PERSONS} of [..]",
        )
    if not 1 <= protocol.divide_by <= GREATEST_DIVISOR:
        yield _problem(
            "bakes",
            f"bakes are divided by 1 to {GREATEST_DIVISOR}, got {protocol.divide_by:g}",
            "write divide_by: 12",
        )
    if protocol.floor < SMALLEST_FLOOR:
        yield _problem("bakes", "a bake can't be shorter than 1s", "write floor: 10m")
    if not timedelta(0) < protocol.expires_after <= LONGEST_AUTHORITY:
        yield _problem(
            "expires", "authority lasts more than 0 and at most 24h", "write expires: 4h"
        )
    if not timedelta(0) < protocol.debt_due <= LONGEST_DEBT:
        yield _problem("debts", "debts are due after more than 0 and at most 24h", "write due: 24h")
    kept = sorted((set(protocol.never_skip) | ALWAYS_KEPT) & set(protocol.out_of_band))
    if kept:
        yield _problem(
            "out_of_band",
            f"{', '.join(kept)} can't run out of band: it is never skipped",
            "take it off one of the lists",
        )


def _problem(key: str, message: str, fix: str) -> ProtocolProblem:
    return ProtocolProblem(key=(key,), message=message, fix=fix)


# --- the response plan -----------------------------------------------------------------------


def plan_problems(
    protocols: Sequence[EmergencyProtocol], today: date
) -> tuple[tuple[str, ProtocolProblem], ...]:
    """
    Return where *protocols* and the response plans that they refer to don't fit, each with the type.

    A plan is expired after its last day. Types that refer to one plan must mean the same version with
    the same roles, and who authorises must be among the plan's roles.
    """
    found: list[tuple[str, ProtocolProblem]] = []
    first: dict[str, tuple[str, ResponsePlan]] = {}
    for protocol in protocols:
        plan = protocol.plan
        if plan is None:
            continue
        other_type, other = first.setdefault(plan.id, (protocol.type, plan))
        found += [(protocol.type, problem) for problem in _misfits(protocol, plan, today)]
        if plan != other:
            message = f"{plan.id} isn't the same here and in {other_type}"
            fix = "refer to one version with its roles and its end everywhere"
            found.append((protocol.type, _problem("plan", message, fix)))
    return tuple(found)


def _misfits(
    protocol: EmergencyProtocol, plan: ResponsePlan, today: date
) -> Iterable[ProtocolProblem]:
    if plan.valid_until is not None and today > plan.valid_until:
        yield _problem(
            "plan",
            f"the response plan {plan.id} {plan.version} expired on {plan.valid_until}",
            "review the plan, then write its new version and end",
        )
    strangers = sorted(set(protocol.authorise) - set(plan.roles))
    if strangers:
        yield _problem(
            "plan",
            f"{', '.join(strangers)} authorises and is no role of {plan.id} {plan.version}",
            f"name roles of the plan: {', '.join(plan.roles)}",
        )


# --- without a policy ------------------------------------------------------------------------

_PUT_OFF: Final = (
    "tests",
    "sarif",
    "review",
    "staging-passed",
    "mirror",
    "capacity",
    "change-size",
    *sorted(OF_THE_SURROUNDINGS),
)
_GRAVE: Final = 'severity in ["sev1", "sev2"]'


def _built_in(emergency_type: str, criteria: str) -> EmergencyProtocol:
    return EmergencyProtocol(
        type=emergency_type,
        version="built-in",
        criteria=f"incident.id is known and ({criteria})",
        declare=(),
        authorise=(),
        persons=LEAST_PERSONS,
        divide_by=12,
        floor=timedelta(minutes=10),
        out_of_band=_PUT_OFF,
        never_skip=("backup",),
        expires_after=timedelta(hours=4),
        tests="",
        plan=None,
        debt_due=timedelta(hours=24),
        debt_owner="",
        keeps_approvals=False,
    )


BUILT_IN: Final = (
    _built_in("security", f"cve.score >= 7 or exploited or {_GRAVE}"),
    _built_in("outage", f"alarms.page >= 1 or {_GRAVE}"),
    _built_in("data-loss", f"data.lost or {_GRAVE}"),
)
"""The protocols where no policy says any: two persons, bakes by 12 but 10 minutes, 4 h, debts due in 24 h."""
