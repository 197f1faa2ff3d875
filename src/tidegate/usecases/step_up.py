"""The check that a proof of who somebody is, is fresh enough for what they want. Decided in `domain`."""

from tidegate.domain.access.model import Caller
from tidegate.domain.access.permissions import Permission
from tidegate.domain.access.proof import FRESH_FOR, IdentityRules, why_not_fresh
from tidegate.errors import StepUpRequiredError
from tidegate.usecases.outside import Outside


def refuse_unless_fresh(outside: Outside, caller: Caller, permission: Permission) -> None:
    """
    Return when *caller* needn't prove again who they are before they do *permission*.

    Raises:
        StepUpRequiredError: they have to.
    """
    rules = IdentityRules(mode=outside.identity_mode, can_log_in=outside.identity is not None)
    why_not = why_not_fresh(rules, caller, permission, outside.clock.now())
    if why_not is not None:
        minutes = int(FRESH_FOR.total_seconds() // 60)
        raise StepUpRequiredError(
            f"{permission} takes a proof of at most {minutes} minutes ago of who {caller.name} is;"
            f" {why_not}",
            hint="prove it again, then repeat this: tidegate auth login --again",
        )
