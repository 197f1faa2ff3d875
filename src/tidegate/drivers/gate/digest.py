"""
The gate `digest`: every version of the change is fixed by its content, and is still the same artifact.

A version is resolved once, when the change is proposed; what runs is that digest. A name that stands for
something else by now was moved or overwritten, and whatever was found out about one doesn't hold for the
other. So the same artifact goes everywhere, or nowhere.
"""

import re
from collections.abc import Sequence
from typing import Final

from tidegate.documents.gates import GateSettings, settings_of
from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.plan.model import ComponentChange
from tidegate.ports.gate import GateAnswer, GateQuestion

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class DigestGate:
    """Answers the gate `digest` from what versions resolve to now, and what passed before."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return whether each version is the one artifact it was; see `ports.gate`."""
        settings_of(question.spec, GateSettings)
        red = [why for part in question.change.components if (why := _moved(part, question))]
        if red:
            return _answer(GateVerdict.RED, red, question)
        now = dict(question.known.resolved)
        unclear = [
            f"what {part.component} {part.to.name} stands for now can't be told"
            for part in question.change.components
            if now.get(part.component) is None
        ]
        if unclear or not question.change.components:
            return _answer(GateVerdict.UNKNOWN, unclear or ["nothing changes"], question)
        names = ", ".join(
            f"{part.component} {part.to.name} is {part.to.digest}"
            for part in question.change.components
        )
        return _answer(GateVerdict.GREEN, [names], question)


def _moved(part: ComponentChange, question: GateQuestion) -> str | None:
    """Return why the version of *part* isn't the one artifact, None when nothing speaks against it."""
    version = part.to
    if not _DIGEST.fullmatch(version.digest):
        return f"{part.component} {version.name} isn't fixed by a sha256 digest"
    now = dict(question.known.resolved).get(part.component)
    if now is not None and now.digest != version.digest:
        return f"{part.component} {version.name} is another artifact by now: {now.digest}"
    for passed in question.known.passed:
        of_component = passed.placement.component == part.component
        if of_component and passed.version.name == version.name and passed.version != version:
            return (
                f"{part.component} {version.name} that passed on {passed.placement.target} was"
                f" another artifact: {passed.version.digest}"
            )
    return None


def _answer(verdict: GateVerdict, because: Sequence[str], question: GateQuestion) -> GateAnswer:
    return GateAnswer(
        verdict=verdict,
        because="; ".join(because),
        facts=tuple((part.component, part.to.digest) for part in question.change.components),
    )
