"""
The words for what is shown: shares, durations, evidence. Used by the pages and by the command line alike.

Rule: made from shapes alone, so that both say the same of the same answer. Nothing here judges: verdicts
and display words come with the shapes.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from tidegate.api.shapes.evidence import ArmCounts, Evidence, Signal
from tidegate.api.shapes.rollout import ComponentChange, Exposure, Rollout
from tidegate.domain.durations import format_duration
from tidegate.domain.quantities import Exposure as ExposureOf

STATE_MARKS: Final = {
    "planned": "○",
    "waiting": "◇",
    "applying": "▷",
    "baking": "▶",
    "held": "‖",
    "halted": "■",
    "recovering": "↩",
    "completed": "✓",
    "rolled_back": "↶",
    "rolled_forward": "↷",
    "superseded": "»",
    "abandoned": "✕",
}
"""One shape per state, so that colour is never the only sign."""

PHASE_MARKS: Final = {"done": "✓", "now": "▶", "stopped": "■", "ahead": "·"}


def state_words(state: str) -> str:
    """Return a state as people write it: `rolled back`."""
    return state.replace("_", " ")


def exposure_words(*, internal: bool, bps: int) -> str:
    """Return an exposure in words: `nobody`, `internal only`, `5%`."""
    return str(ExposureOf(internal=internal, weight_bps=bps))


def set_words(exposure: Exposure) -> str:
    """Return what a placement shall expose."""
    return exposure_words(internal=exposure.set_internal, bps=exposure.set_bps)


def actual_words(exposure: Exposure) -> str:
    """Return what a placement was seen to expose; `?` where nobody looked or it couldn't be seen."""
    if exposure.actual_bps is None or exposure.actual_internal is None:
        return "?"
    if exposure.serving is None and exposure.candidate is None and not exposure.settled:
        return "?"
    return exposure_words(internal=exposure.actual_internal, bps=exposure.actual_bps)


def duration_words(seconds: float) -> str:
    """Return a length of time in whole seconds as people write it: `5h12m`."""
    return format_duration(timedelta(seconds=max(0, round(seconds))))


def clock_words(at: datetime) -> str:
    """Return an instant as a time of day in UTC."""
    return at.astimezone(UTC).strftime("%H:%M:%S UTC")


def change_words(change: dict[str, ComponentChange]) -> str:
    """Return a change in one line: `code 1.1.0 (from 1.0.0)`."""
    return " + ".join(
        f"{component} {part.to}" + (f" (from {part.before})" if part.before else "")
        for component, part in change.items()
    )


def position_words(rollout: Rollout) -> str:
    """Return where in its plan a rollout is."""
    if rollout.is_return:
        return "way back"
    phase = rollout.phase
    return f"{phase.name}, phase {phase.number} of {phase.count}"


def tolerance_words(value: float, unit: str) -> str:
    """Return an amount of harm in its signal's unit: `0.050 pp`, `5%`."""
    return f"{value * 100:.3f} pp" if unit == "rate" else f"{value * 100:.3g}%"


def comparison_words(signal: Signal) -> str:
    """Return both arms side by side, the candidate first."""
    if signal.kind == "usage":
        return f"{signal.candidate.total} vs {signal.baseline.total} uses"
    what = "failed" if signal.kind == "errors" else "slow"
    return f"{_share(signal.candidate)} vs {_share(signal.baseline)} {what}"


def ruled_out_words(signal: Signal) -> str:
    """Return the harm that is excluded so far."""
    if signal.ruled_out is None:
        return "nothing ruled out yet"
    amount = tolerance_words(signal.ruled_out, signal.unit)
    if signal.kind == "usage":
        return f"drop beyond -{amount} ruled out"
    return f"harm above +{amount} ruled out"


def tolerated_words(signal: Signal) -> str:
    """Return the harm that is tolerated."""
    sign = "-" if signal.kind == "usage" else "+"
    return f"tolerates {sign}{tolerance_words(signal.tolerated, signal.unit)}"


def signal_note(signal: Signal) -> str:
    """Return what is wrong with a signal's data, or nothing."""
    if signal.quality == "good":
        return ""
    return f"{signal.quality.replace('_', ' ')}: {signal.quality_note}"


def progress_words(evidence: Evidence) -> str:
    """Return how far a bake is, in time and in requests."""
    baked = duration_words(evidence.baked_seconds)
    words = f"baked {baked} of {duration_words(evidence.needed_seconds)}"
    if evidence.needed_requests:
        words += f", {evidence.requests} of {evidence.needed_requests} requests"
    if evidence.people is not None:
        words += f", about {evidence.people.candidate} people met it"
    return words


def list_words(words: Iterable[str]) -> str:
    """Return words joined, `-` for none."""
    return ", ".join(words) or "-"


def _share(arm: ArmCounts) -> str:
    return "none" if arm.share is None else f"{arm.share:.3%}"
