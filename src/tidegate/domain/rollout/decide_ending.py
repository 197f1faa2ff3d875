"""
What comes after a stop or after the last phase: withdrawal, the way back, quarantine.

Nothing here raises exposure, and nothing here asks a gate, a window, the queue or a person's consent: a
move down waits for none of them.
"""

from typing import Final

from tidegate.domain.plan.model import Recovery
from tidegate.domain.quantities import FULL_WEIGHT_BPS
from tidegate.domain.rollout.decisions import (
    BringBack,
    Decision,
    FinishRecovery,
    Observation,
    Retire,
    Settle,
    StartRecovery,
)
from tidegate.domain.rollout.holds import hold, waiting, withdraw_again
from tidegate.domain.rollout.model import HaltCause, ReasonCode, WhoCanAct
from tidegate.domain.rollout.seen import not_withdrawn

_RECOVERS_BY_ITSELF: Final = frozenset({HaltCause.HARM, HaltCause.NOT_APPLIED})
"""
Causes that leave nothing for a person to weigh. Data that went missing does, and so does what a person or
an alarm stopped: they know something that the signals don't show.
"""


def decide_halted(seen: Observation) -> Decision:
    """Return what follows a stop: withdraw until it was seen, then recover or wait for a person."""
    left = not_withdrawn(seen)
    if left is not None:
        return withdraw_again(left)
    halt = seen.rollout.halt
    assert halt is not None, "a halted rollout says why"
    if halt.cause in _RECOVERS_BY_ITSELF and seen.rollout.plan.recovery is Recovery.ROLLBACK:
        return StartRecovery(rule="recover-by-itself", because=f"after {halt.because}")
    return hold(
        "person-after-halt",
        f"halted by {halt.by}: {halt.because}",
        ReasonCode.PERSON_AFTER_HALT,
        who=WhoCanAct.OPERATOR,
    )


def decide_recovering(seen: Observation) -> Decision:
    """Return the next move back to what was served before."""
    left = not_withdrawn(seen)
    if left is not None:
        return withdraw_again(left)
    drains = ", ".join(str(here.placement) for here in seen.placements if here.candidate)
    if drains:
        return Retire(
            rule="retire-candidate",
            because=f"the candidate is drained: {drains}",
            waiting_on=waiting(ReasonCode.RECOVERING, f"drains {drains}"),
        )
    for here in seen.placements:
        # Before a first deployment nothing was served, so there is nothing to go back to.
        served_before = (
            None if seen.rollout.is_install else seen.rollout.baseline_of(here.placement)
        )
        if served_before is not None and here.serving != served_before:
            return hold(
                "verify-way-back",
                f"{here.placement} serves {here.serving.name if here.serving else 'nothing'},"
                f" not {served_before.name}",
                ReasonCode.RECOVERING,
                who=WhoCanAct.OPERATOR,
            )
    return FinishRecovery(
        rule="verify-way-back", because="every target serves what it served before"
    )


def decide_return(seen: Observation) -> Decision:
    """A return's change is the earlier version: full exposure to it is the way back."""
    for here in seen.placements:
        wanted = seen.rollout.change.version_of(here.placement.component)
        if here.serving == wanted and here.candidate is None:
            continue
        if (
            here.exposure.weight_bps == FULL_WEIGHT_BPS
            and here.settled
            and here.candidate == wanted
        ):
            continue
        problem = here.why_not or f"{here.placement} doesn't serve {wanted and wanted.name} yet"
        return BringBack(
            rule="bring-back",
            because=problem,
            waiting_on=waiting(ReasonCode.RECOVERING, problem),
        )
    return FinishRecovery(rule="verify-way-back", because="every target serves the earlier version")


def decide_completed(seen: Observation) -> Decision:
    """Return what follows the end of the last phase: quarantine, then settling."""
    rollout = seen.rollout
    if rollout.settled:
        return hold("over", "the rollout is over", ReasonCode.NOTHING)
    assert rollout.finished_at is not None, "a completed rollout has an end"
    ends = rollout.finished_at + rollout.plan.quarantine
    if seen.now < ends:
        return hold(
            "quarantine",
            "the old version stays warm for an instant return",
            ReasonCode.QUARANTINE,
            until=ends,
            who=WhoCanAct.OPERATOR,
        )
    return Settle(rule="quarantine", because="completed and outlived its quarantine")
