"""
Whether an approval counts: separation of duties in persons, and what it is still bound to. Pure.

Rule 1: people are counted, never names. A person, their second account and the program they own are one.

Rule 2: what isn't known counts against. An author behind whom nobody is known could be the approver.

Rule 3: only a yes can lapse. A no stands until its person takes it back or the attempt is over: forgetting
one would let exposure rise.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tidegate.domain.approvals.model import Binding
from tidegate.domain.health.evidence import Verdict
from tidegate.domain.policy.model import THE_OTHERS
from tidegate.domain.rollout.model import Approval

EDITORS_WAIT: Final = timedelta(hours=24)
"""For how long whoever edited a policy can't approve what it governs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGround:
    """
    All that decides whether an approval of one phase counts at an instant.

    `authors` are the persons behind the change: who started it, who owns the program that did, who let it
    go on last. `strangers` are names among those behind whom no person is known. `group` is whose approval
    is asked for, and `members` who is in it as far as the policy says, None when it doesn't.
    `editors` are the persons who edited the policy lately. `started_with` is the digest of the change that
    was started; `resolves_to` says in words what its names mean now, and `moved_at` since when.
    `unknown` says what can't be known at this moment, "" for nothing.
    """

    binding: Binding
    authors: frozenset[str]
    strangers: tuple[str, ...]
    group: str
    members: frozenset[str] | None
    editors: frozenset[str]
    started_with: str
    resolves_to: str = ""
    moved_at: datetime | None = None
    unknown: str = ""


def why_not_eligible(ground: ApprovalGround, person: str | None, name: str) -> str:
    """Return why *person*, who acts as *name*, can't approve; "" when they can."""
    if person is None:
        return f"no person stands behind {name}, and only persons approve"
    if person in ground.authors:
        under = "" if name == person else f" ({name} is {person})"
        return f"it is {person}'s own change{under}"
    if ground.strangers:
        unknown = ", ".join(ground.strangers)
        return f"nobody is known to stand behind {unknown}, so it could be {person}'s own change"
    if person in ground.editors:
        hours = int(EDITORS_WAIT.total_seconds() // 3600)
        return f"{person} edited the policy that governs it within the last {hours} hours"
    if ground.members is not None and person not in ground.members:
        return f"{person} isn't in {ground.group}"
    return ""


def who_could(ground: ApprovalGround) -> str:
    """Return in words who can approve, for whoever can't."""
    if ground.group == THE_OTHERS:
        return "somebody else who may approve"
    if ground.members is None:
        return f"somebody else of {ground.group}"
    able = sorted(one for one in ground.members if not why_not_eligible(ground, one, one))
    return ", ".join(able) if able else f"nobody in {ground.group} can: add somebody to it"


def why_artifact_moved(ground: ApprovalGround) -> str:
    """Return what the change resolves to when that isn't what was started; "" when it is."""
    if ground.binding.change == ground.started_with:
        return ""
    return (
        f"the artifact moved: {ground.resolves_to or ground.binding.change} isn't what was started"
    )


def why_void(ground: ApprovalGround, approval: Approval) -> str:
    """Return why *approval*, a yes, doesn't count on *ground*; "" when it does."""
    if approval.binding is None:
        return "what it was a yes to isn't on record"
    ineligible = why_not_eligible(ground, approval.person, approval.by)
    if ineligible:
        return ineligible
    moved = why_artifact_moved(ground)
    if moved:
        return moved
    if ground.moved_at is not None and approval.at < ground.moved_at:
        return "the artifact moved since it was given, and back"
    return what_moved(approval.binding, ground.binding) or ground.unknown


def what_moved(bound: Binding, now: Binding) -> str:
    """Return what of *now* isn't what *bound* says yes to, in words; "" when all of it is."""
    for what, was, is_now in (
        ("the change", bound.change, now.change),
        ("the plan", bound.plan, now.plan),
        ("the targets or their settings", bound.targets, now.targets),
        ("the policy", bound.policy, now.policy),
    ):
        if was != is_now:
            return f"{what} changed since it was given"
    if bound.environment != now.environment:
        return f"it was given for {bound.environment}, not for {now.environment}"
    if bound.exposure != now.exposure:
        return f"it was given for {bound.exposure}, not for {now.exposure}"
    # Who agrees while a bake goes on agrees to what follows when it passes: that is no change.
    if now.verdict not in (bound.verdict, Verdict.PASS.value):
        was, is_now = bound.verdict or "nothing", now.verdict or "nothing"
        return f"the evidence says {is_now} now; it said {was} when it was given"
    return ""
