"""
Which series belong to which arm, where a label of the series tells.

`arm_label` is the label's name. `arm_value` says which of the arm's own labels it holds: `version`,
`digest`, `cluster`, or `members` for a label that holds host:port; left out, it follows from the label's
name.
"""

import re
from collections.abc import Mapping

from tidegate.documents.promql import Matcher
from tidegate.domain.quantities import Arm
from tidegate.ports.component import ArmLabels
from tidegate.ports.signals import SignalQuery


def arm_matchers(
    query: SignalQuery, *, default_label: str, instance_label: str
) -> dict[Arm, Matcher]:
    """
    Return the matcher of each arm that can be told; none at all when both look the same.

    Two arms under one label would be the same numbers twice, and no harm could ever show in them.
    """
    found = {
        arm: arm_matcher(
            query.settings,
            query.arms.get(arm, {}),
            default_label=default_label,
            instance_label=instance_label,
        )
        for arm in Arm
    }
    if found[Arm.CANDIDATE] == found[Arm.BASELINE]:
        return {}
    return {arm: matcher for arm, matcher in found.items() if matcher is not None}


def arm_matcher(
    settings: Mapping[str, str], labels: ArmLabels, *, default_label: str, instance_label: str
) -> Matcher | None:
    """Return the matcher that picks one arm's series, or None when *labels* can't tell it."""
    label = settings.get("arm_label", default_label)
    implied = {"digest": "digest", "cluster": "cluster", instance_label: "members"}
    key = settings.get("arm_value", implied.get(label, "version"))
    value = labels.get(key, "")
    if key != "members":
        return Matcher(label=label, operator="=", value=value) if value else None
    members = sorted({member.strip() for member in value.split(",") if member.strip()})
    if not members:
        return None
    return Matcher(label=label, operator="=~", value="|".join(map(re.escape, members)))
