"""
The policy of an organisation: its people, the programs that act for them, and the approvals it demands.

Only the types and what can be read off them. A policy that isn't there is `NO_POLICY`, which knows nobody
and demands nothing; it isn't an error, and nothing may take it for one that allows.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.emergency.protocol import EmergencyProtocol
from tidegate.domain.quantities import Environment

THE_OTHERS: Final = "the others"
"""Everybody but the authors, as far as they may approve. No group of a file can have this name."""

DEFAULT_APPROVAL_LIFE: Final = timedelta(hours=24)
"""How long an approval holds where nobody says otherwise (OWASP ASVS 5.0, 2.3.5 asks for an end)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPerson:
    """
    One person. `accounts` are the other names that they act under, at this server or elsewhere.

    However many accounts somebody has, wherever people are counted they are one.
    """

    name: str
    accounts: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownProgram:
    """A pipeline or another system; what it does counts as done by its `owner`."""

    name: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRule:
    """
    An approval that is demanded of every plan that touches what it names.

    It is about phases that move a target of one of `environments`, of services of one of `tiers` and
    components of one of `kinds`; empty means any. It is demanded before the first of them, or before
    `every_phase`. With `unless_reviewed` a green review gate stands for it.
    """

    environments: tuple[Environment, ...]
    count: int
    group: str
    tiers: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()
    every_phase: bool = False
    unless_reviewed: bool = False

    def __str__(self) -> str:
        where = " and ".join(self.environments) or "everything"
        unless = " unless reviewed" if self.unless_reviewed else ""
        return f"{where} needs {self.count} of {self.group}{unless}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """
    What is in force for an organisation. `digest` is that of the file it was written in, "" for none.

    `approval_life` is how long an approval holds where a plan doesn't say. `protocols` are those of
    emergencies, empty for the built-in ones. `approval_rules` is None where nothing is said about them:
    what holds then is in `domain.policy.demands`.
    """

    organisation: str = ""
    digest: str = ""
    people: tuple[KnownPerson, ...] = ()
    programs: tuple[KnownProgram, ...] = ()
    approval_life: timedelta = DEFAULT_APPROVAL_LIFE
    protocols: tuple[EmergencyProtocol, ...] = ()
    approval_rules: tuple[ApprovalRule, ...] | None = None

    def person_of(self, name: str) -> str | None:
        """Return the person behind *name*: a person, one of their accounts, or a program they own."""
        for person in self.people:
            if name == person.name or name in person.accounts:
                return person.name
        owner = next((one.owner for one in self.programs if one.name == name), None)
        # Files are checked for owners that aren't listed; one that is listed under an account is.
        return None if owner is None or owner == name else self.person_of(owner) or owner

    def members_of(self, group: str) -> frozenset[str] | None:
        """Return the persons in *group*, None when the policy has no such group."""
        members = frozenset(one.name for one in self.people if group in one.groups)
        return members or None


NO_POLICY: Final = Policy()


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """
    One version of an organisation's policy: as it was written, by whom and when.

    `number` counts from 1 per organisation. `text` is the file to the letter. `person` is who is counted
    as its editor, None when nobody stands behind `by`. One version of an organisation is in force.
    """

    organisation: str
    number: int
    text: str
    policy: Policy
    by: str
    person: str | None
    reason: str
    at: datetime
    is_in_force: bool
