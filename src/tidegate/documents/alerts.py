"""
Which alerts concern a service and what they do: as it is written, and in the resolved document.

Nothing written means: alerts that name the service, a page halts and a ticket holds. That default isn't
in the resolved document, so that digests from before there were alerts stay.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from tidegate.documents.components import Written
from tidegate.domain.plan.model import AlertPolicy, Effect

_Effect = Literal["halt", "hold", "ignore"]
_Label = Annotated[str, Field(min_length=1, max_length=200)]


class Alerts(Written):
    """Alerts from outside, and what they do to a rollout."""

    match: Annotated[dict[_Label, _Label], Field(max_length=20)] = Field(
        default_factory=dict,
        description="Labels that an alert must carry, all of them. Default: it names the service.",
    )
    page: _Effect = Field(default="halt", description="What a page does. Default: halt.")
    ticket: _Effect = Field(default="hold", description="What a ticket does. Default: hold.")


def resolve_alerts(written: Alerts | None) -> AlertPolicy:
    """Return the policy that *written* asks for, the default one for None."""
    if written is None:
        return AlertPolicy()
    return AlertPolicy(
        match=tuple(sorted(written.match.items())),
        page=Effect(written.page),
        ticket=Effect(written.ticket),
    )


def alerts_document(policy: AlertPolicy) -> dict[str, Any]:
    """Return *policy* as part of the resolved plan: nothing for the default one."""
    if policy == AlertPolicy():
        return {}
    return {
        "alerts": {
            "match": dict(policy.match),
            "page": policy.page.value,
            "ticket": policy.ticket.value,
        }
    }
