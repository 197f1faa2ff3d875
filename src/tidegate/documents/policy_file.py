"""
Reading `tidegate-org.yaml`: strictly, and with the place and the fix of everything that is wrong.

Its digest is that of what it says, not of how it is laid out: comments and the order of keys change
nothing that anybody agreed to.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from pydantic import BaseModel

from tidegate.documents.canonical import digest_of
from tidegate.documents.notation import shown
from tidegate.documents.policy_emergency import (
    WrittenDebts,
    WrittenHaste,
    WrittenProtocol,
    WrittenResponsePlan,
    resolve_protocols,
)
from tidegate.documents.policy_written import (
    PolicyFile,
    WrittenApprovals,
    WrittenPerson,
    WrittenProgram,
    WrittenRule,
)
from tidegate.documents.problems import Complaint, KeyPath, invalid_document
from tidegate.documents.service_file import placed
from tidegate.documents.shape import check_against
from tidegate.documents.yaml import Value, read_yaml
from tidegate.domain.emergency.protocol import EmergencyProtocol
from tidegate.domain.policy.model import (
    DEFAULT_APPROVAL_LIFE,
    ApprovalRule,
    KnownPerson,
    KnownProgram,
    Policy,
)
from tidegate.domain.quantities import Environment

POLICY_FILE_NAME: Final = "tidegate-org.yaml"

_MODELS: Final[dict[tuple[str, ...], type[BaseModel]]] = {
    (): PolicyFile,
    ("people", "*"): WrittenPerson,
    ("programs", "*"): WrittenProgram,
    ("approvals",): WrittenApprovals,
    ("approvals", "rules", "*"): WrittenRule,
    ("emergency", "*"): WrittenProtocol,
    ("emergency", "*", "bakes"): WrittenHaste,
    ("emergency", "*", "debts"): WrittenDebts,
    ("emergency", "*", "plan"): WrittenResponsePlan,
}
_BY_NAME: Final = ("people", "programs", "emergency")


def read_policy(text: str, *, today: date, file: str = POLICY_FILE_NAME) -> Policy:
    """
    Return the policy that *text* describes.

    Args:
        text: The content of a `tidegate-org.yaml`.
        today: The date; an emergency response plan that has expired by then is an error.
        file: Its name for messages.

    Raises:
        InvalidDocumentError: the text isn't strict YAML, doesn't fit the format, or its names don't fit
            one another. The message lists each problem as `file:line:column: what` and its fix.
    """
    document = read_yaml(text, file=file)
    written, complaints = check_against(PolicyFile, document.value, _model_at)
    protocols: tuple[EmergencyProtocol, ...] = ()
    if written is not None:
        protocols, wrong = resolve_protocols(written.emergency or {}, today=today)
        complaints = [*_name_complaints(written), *wrong]
    if written is None or complaints:
        raise invalid_document(file, placed(complaints, document.positions))
    return _policy(written, protocols)


def _policy(written: PolicyFile, protocols: tuple[EmergencyProtocol, ...]) -> Policy:
    approvals = written.approvals or WrittenApprovals()
    return Policy(
        organisation=written.organisation,
        digest=digest_of(written.model_dump(mode="json")),
        people=tuple(
            KnownPerson(name=name, accounts=tuple(one.accounts), groups=tuple(one.groups))
            for name, one in sorted(written.people.items())
        ),
        programs=tuple(
            KnownProgram(name=name, owner=one.owner)
            for name, one in sorted(written.programs.items())
        ),
        approval_life=approvals.within or DEFAULT_APPROVAL_LIFE,
        approval_rules=None if approvals.rules is None else tuple(map(_rule, approvals.rules)),
        protocols=protocols,
    )


def _rule(rule: WrittenRule) -> ApprovalRule:
    return ApprovalRule(
        environments=tuple(Environment(name) for name in rule.environments),
        tiers=tuple(rule.tiers or ()),
        kinds=tuple(rule.kinds or ()),
        count=rule.approve[0],
        group=rule.approve[1],
        every_phase=rule.before == "every",
        unless_reviewed=rule.unless == "reviewed",
    )


def _name_complaints(written: PolicyFile) -> Iterator[Complaint]:
    """Yield what names demand of one another: each belongs to one, owners are known, groups have people."""
    owners: dict[str, str] = {}
    for path, name, whose in _names(written):
        taken = owners.setdefault(name, whose)
        if taken != whose:
            yield Complaint(
                path=path,
                what=f"{shown(name)} is {taken}'s name already",
                fix="a name stands for one person or program: leave it at one place",
                on_key=len(path) == 2,
            )
    people = {*written.people, *(one for who in written.people.values() for one in who.accounts)}
    for name, program in written.programs.items():
        if program.owner not in people:
            yield Complaint(
                path=("programs", name, "owner"),
                what=f"there is no person {shown(program.owner)}",
                fix=f"add them: `people: {{{program.owner}: {{}}}}`",
            )
    groups = {group for who in written.people.values() for group in who.groups}
    rules = (written.approvals.rules if written.approvals else None) or []
    for index, rule in enumerate(rules):
        count, group = rule.approve
        if written.people and group not in groups:
            yield Complaint(
                path=("approvals", "rules", index, "approve"),
                what=f"nobody is in {shown(group)}, so nobody could approve",
                fix=f"add it to the `groups` of at least {count + 1} people",
            )


def _names(written: PolicyFile) -> Iterator[tuple[KeyPath, str, str]]:
    for name, person in written.people.items():
        yield ("people", name), name, name
        for index, account in enumerate(person.accounts):
            yield ("people", name, "accounts", index), account, name
    for name in written.programs:
        yield ("programs", name), name, f"program {name}"


def _model_at(path: KeyPath, document: dict[str, Value]) -> type[BaseModel] | None:
    steps: list[Any] = ["*" if isinstance(step, int) else step for step in path]
    if len(steps) > 1 and steps[0] in _BY_NAME:
        steps[1] = "*"
    return _MODELS.get(tuple(steps))
