"""
The decisions that only wait, and what they say of the wait: one way to make each.

Which of them to make, and when, isn't decided here.
"""

from datetime import datetime

from tidegate.domain.rollout.decisions import Hold, Pause, Withdraw
from tidegate.domain.rollout.model import ReasonCode, WaitingOn, WhoCanAct


def withdraw_again(exposed: str) -> Withdraw:
    """Return the decision to say a withdrawal again, because of what is *exposed*."""
    return Withdraw(
        rule="exposure-only-falls",
        because=exposed,
        waiting_on=waiting(ReasonCode.WITHDRAWING, exposed),
    )


def pause(rule: str, because: str, reason: ReasonCode, until: datetime | None) -> Pause:
    """Return the decision to freeze the bake, to be ended by its cause or a person."""
    return Pause(
        rule=rule,
        because=because,
        waiting_on=waiting(reason, because, until=until, who=WhoCanAct.OPERATOR),
    )


def hold(
    rule: str,
    because: str,
    reason: ReasonCode,
    *,
    until: datetime | None = None,
    who: WhoCanAct = WhoCanAct.NOBODY,
) -> Hold:
    """Return the decision to change nothing and to say what is waited for."""
    return Hold(
        rule=rule, because=because, waiting_on=waiting(reason, because, until=until, who=who)
    )


def waiting(
    reason: ReasonCode,
    detail: str,
    *,
    until: datetime | None = None,
    who: WhoCanAct = WhoCanAct.NOBODY,
) -> WaitingOn:
    """Return what is waited for, until when, and who can end it."""
    return WaitingOn(reason=reason, detail=detail, until=until, who_can_act=who)
