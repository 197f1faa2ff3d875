"""
What Prometheus's Alertmanager sends to a webhook receiver: version 4 of its message.

Followed from `webhook_config` in Alertmanager's documentation, of which only what is used here is named.
Unlike our own requests, unknown fields are skipped: the format is somebody else's and grows.
"""

from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

PAGING: Final = frozenset({"page", "critical"})
"""Values of the label `severity` that wake somebody up; every other one, and none, is a ticket."""

Labels = dict[str, str]


class _Outside(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class AlertmanagerAlert(_Outside):
    """One alert of a group. `startsAt` tells one occurrence of it from the next."""

    status: Literal["firing", "resolved"]
    labels: Labels
    annotations: Labels = Field(default_factory=dict)
    startsAt: AwareDatetime  # noqa: N815 - Alertmanager's name
    fingerprint: Annotated[str, Field(min_length=1, max_length=200)]

    @property
    def is_page(self) -> bool:
        """Whether it is of page severity."""
        return self.labels.get("severity", "").lower() in PAGING

    @property
    def summary(self) -> str:
        """What is wrong, in the words of whoever wrote the alert."""
        said = self.annotations.get("summary") or self.annotations.get("description")
        return (said or self.labels.get("alertname") or "an alert without a name")[:2000]


class AlertmanagerMessage(_Outside):
    """A group of alerts. Labels that all have in common are repeated in each of them."""

    version: Literal["4"]
    alerts: Annotated[list[AlertmanagerAlert], Field(max_length=10_000)]
