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
from tidegate.domain.durations import format_duration, rough_duration
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

DAYS_FROM_SECONDS: Final = 48 * 3_600
MOST_NAMED: Final = 3
"""How many things of a list are named in a line."""

PHASE_MARKS: Final = {"done": "✓", "now": "▶", "stopped": "■", "ahead": "·"}

REACH_MARKS: Final = {"d": "✓", "p": "◐", "a": "·", "b": "↶", "o": ""}
"""How far a rollout has come on one target; where it moves now, the mark is that of its state."""

TEXT_STYLE: Final = "\ufe0e"
"""Variation selector 15: phones draw some of the marks as coloured pictures without it."""


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


def stamp_words(at: datetime) -> str:
    """Return an instant in UTC to the second, for what is looked up long after: `2026-01-12 09:00:10`."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def calendar_words(at: datetime, *, within_hours: bool) -> str:
    """Return an instant as people plan with it: `Mon 12 Jan 09:00`, or `09:00:10` *within_hours*."""
    return at.astimezone(UTC).strftime("%H:%M:%S" if within_hours else "%a %d %b %H:%M")


def chance_words(chance: float) -> str:
    """Return a probability in percent; what isn't certain is never called so."""
    if chance >= 0.995:
        return "over 99%"
    return f"{chance:.0%}" if chance >= 0.01 else "under 1%"


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
    """Return an amount of harm in its signal's unit: `0.050 pp`, `5%`, `20 ms`."""
    if unit == "rate":
        return f"{value * 100:.3f} pp"
    return f"{value * 100:.3g}%" if unit == "relative" else f"{value:.3g} ms"


def comparison_words(signal: Signal) -> str:
    """Return both arms side by side, the candidate first."""
    match signal.kind:
        case "usage" | "traffic":
            what = "uses" if signal.kind == "usage" else "requests"
            return f"{signal.candidate.total} vs {signal.baseline.total} {what}"
        case "saturation":
            bad, total = signal.candidate.bad, signal.candidate.total
            return f"{bad} of {total} readings above the others' median"
        case "limit":
            return "no value yet" if signal.value is None else f"{signal.value:.4g} now"
        case _:
            what = "failed" if signal.kind == "errors" else "slow"
            return f"{_share(signal.candidate)} vs {_share(signal.baseline)} {what}"


def ruled_out_words(signal: Signal) -> str:
    """Return the harm that is excluded so far."""
    if signal.kind == "limit":
        return "compares with nothing"
    if signal.ruled_out is None:
        return "nothing ruled out yet"
    # Bounds are read off a grid, which may be coarser than the proof itself.
    proven = signal.shown == "PROVEN"
    least = min(signal.ruled_out, signal.tolerated) if proven else signal.ruled_out
    amount = tolerance_words(least, signal.unit)
    if signal.kind == "usage":
        return f"drop beyond -{amount} ruled out"
    return f"harm above +{amount} ruled out"


def tolerated_words(signal: Signal) -> str:
    """Return the harm that is tolerated."""
    if signal.kind == "limit":
        side = "at most" if signal.limit_is_upper else "at least"
        return "" if signal.limit is None else f"{side} {signal.limit:.4g}"
    sign = "-" if signal.kind == "usage" else "+"
    return f"tolerate {sign}{tolerance_words(signal.tolerated, signal.unit)}"


def power_words(signal: Signal, *, by_hour_of_week: bool) -> str:
    """Return how likely a fault would have been seen so far, and when it will be; empty for unknown."""
    parts = []
    if signal.power_twice_tolerated is not None:
        sign = "-" if signal.kind == "usage" else "+"
        fault = f"{sign}{tolerance_words(2 * signal.tolerated, signal.unit)}"
        parts.append(f"{chance_words(signal.power_twice_tolerated)} power to see {fault}")
    if signal.power_double is not None:
        what = "half as many" if signal.kind == "usage" else "2x"
        wait = signal.double_seen_in_seconds
        if wait is None:
            parts.append(f"{what} is out of sight")
        elif wait > 0:
            how = "forecast by hour of week" if by_hour_of_week else "at the traffic of this phase"
            parts.append(f"{what} will reach 95% in about {rough_words(wait)} ({how})")
        else:
            parts.append(f"{chance_words(signal.power_double)} for {what}")
    return ", ".join(parts)


def proof_words(signal: Signal) -> str:
    """Return when the proof is expected; empty where it's there, or nothing has to be proven."""
    if not signal.gate or signal.shown not in ("PARTLY", "CANNOT IN THIS BAKE"):
        return ""
    if not signal.concurrent:
        return "nothing beside it to compare with"
    if signal.proof_in_seconds is None:
        return "no proof in sight at these rates"
    return f"proof in about {rough_words(signal.proof_in_seconds)}"


def rough_words(seconds: float) -> str:
    """Return a length of time as people say it: `40 min`, `5 h 12 min`, `9 days`."""
    if seconds >= DAYS_FROM_SECONDS:
        return f"{seconds / 86_400:.0f} days"
    return rough_duration(timedelta(seconds=max(0.0, seconds)))


def exposure_met_words(evidence: Evidence) -> str:
    """Return whom the phase has met so far: requests, people, hours of the day, targets."""
    met = evidence.exposure
    if met is None:
        return ""
    parts = [f"{met.requests:,} requests"]
    if met.requests_per_second is not None:
        parts[0] += f" ({met.requests_per_second:.3g}/s)"
    if evidence.people is not None:
        parts.append(f"about {evidence.people.candidate:,} people")
    hours = len(met.hours_of_day)
    if hours:
        parts.append(f"{hours} hour{'' if hours == 1 else 's'} of day")
    parts.append(f"{met.targets} of {met.targets_count} targets")
    return ", ".join(parts)


def data_words(evidence: Evidence) -> str:
    """Return how good the data is: how fresh, whether split as planned, whether the baseline is clean."""
    data = evidence.data
    if data is None or data.age_seconds is None:
        return ""
    parts = [f"fresh {max(0.0, data.age_seconds):.0f} s"]
    if data.candidate_share is not None and data.planned_share is not None:
        planned = (
            "as planned" if data.split_as_planned else f"NOT the {data.planned_share:.1%} planned"
        )
        parts.append(f"split {data.candidate_share:.1%} {planned}")
    if data.baseline_clean is None:
        parts.append("baseline's usual rate not known")
    elif data.baseline_clean:
        parts.append("baseline clean")
    elif data.baseline_rate is not None and data.baseline_usual is not None:
        parts.append(
            f"baseline fails more than usual ({data.baseline_rate:.3%}, else"
            f" {data.baseline_usual:.3%})"
        )
    return ", ".join(parts)


def coverage_words(evidence: Evidence) -> str:
    """Return which kinds of use are covered; empty where none is asked for."""
    found = evidence.coverage
    if found is None:
        return ""
    words = f"{found.covered} of {found.cells} kinds of use, {found.covered_share:.1%} of all use"
    if found.missing:
        words += f"; missing: {', '.join(found.missing[:MOST_NAMED])}"
    return words


def signal_note(signal: Signal) -> str:
    """Return what is wrong with a signal's data, that it is only a shadow, or nothing."""
    if signal.shadow:
        return f"shadow: would have halted {signal.shadow_halts} times"
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
    if evidence.warming:
        words += ", warming up"
    return words


def list_words(words: Iterable[str]) -> str:
    """Return words joined, `-` for none."""
    return ", ".join(words) or "-"


def _share(arm: ArmCounts) -> str:
    return "none" if arm.share is None else f"{arm.share:.3%}"
