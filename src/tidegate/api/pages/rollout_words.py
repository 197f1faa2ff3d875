"""
The words of a rollout's own page: what comes next, whom a fault would hurt, what the evidence says.

Rule: made from shapes and from what `ahead` foresaw; nothing is read and nothing judged here. What isn't
known is said to be unknown, in so many words.
"""

from collections.abc import Mapping
from typing import Final

from tidegate.api import words
from tidegate.api.shapes.evidence import People, Signal
from tidegate.domain.plan.model import Phase
from tidegate.usecases.ahead import Blast, Need, NextRise
from tidegate.usecases.forecast import FaultForecast, PhaseForecast

SHOWN_MARKS: Final[Mapping[str, str]] = {
    "PROVEN": "✓",
    "PARTLY": "◐",
    "CANNOT IN THIS BAKE": "⊘",
    "HARM": "■",
    "NO DATA": "?",
}
"""One shape per display word, so that colour is never the only sign."""

SHOWN_CLASSES: Final[Mapping[str, str]] = {
    "PROVEN": "proven",
    "PARTLY": "partly",
    "CANNOT IN THIS BAKE": "cannot",
    "HARM": "harm",
    "NO DATA": "no-data",
}

GATE_MARKS: Final[Mapping[str, str]] = {
    "green": "✓",
    "red": "■",
    "missing": "○",
    "expired": "◌",
    "unknown": "?",
}

SHORT_DIGEST: Final = 12


def short_digest(digest: str) -> str:
    """Return the beginning of a digest, enough to tell two apart by eye."""
    return digest.removeprefix("sha256:")[:SHORT_DIGEST]


def exposes_words(phase: Phase) -> str:
    """Return what a phase exposes: `10%`, or target by target where they differ."""
    by_exposure: dict[str, list[str]] = {}
    for move in phase.moves:
        by_exposure.setdefault(str(move.exposure), []).append(move.placement.target)
    if len(by_exposure) == 1:
        return next(iter(by_exposure))
    return ", ".join(
        f"{exposure} on {words.list_words(dict.fromkeys(targets))}"
        for exposure, targets in by_exposure.items()
    )


def need_words(need: Need) -> str:
    """Return one thing that the next rise needs, with how long that is expected to take."""
    if need.by:
        return f"{need.what} by {need.by}"
    if need.takes is None:
        return f"{need.what}, no end in sight"
    if need.what == "bake":
        return f"bake {words.duration_words(need.takes.total_seconds())}"
    return f"{need.what}, about {words.rough_words(need.takes.total_seconds())}"


def when_unknown(rise: NextRise) -> str:
    """Return when a rise comes whose time can't be said."""
    endless = any(need.takes is None and not need.by for need in rise.needs)
    return "no time in sight" if endless else "once it is agreed"


def people_words(people: People | None, foreseen: PhaseForecast | None) -> str:
    """Return whom a fault hurts in the phase in force."""
    if people is not None:
        met = f"about {people.candidate:,} people have met it"
    elif foreseen is not None and foreseen.people is not None:
        met = f"about {foreseen.people:,.0f} people by the end of this phase"
    else:
        met = "how many people isn't known"
    return f"{met}{_pace(foreseen)}"


def following_words(foreseen: PhaseForecast) -> str:
    """Return whom the next phase will expose."""
    if foreseen.people is not None:
        return f"about {foreseen.people:,.0f} people{_pace(foreseen)}"
    return f"how many people isn't known{_pace(foreseen)}"


def fault_words(fault: FaultForecast) -> str:
    """Return how soon a fault of that size would be halted."""
    what = f"+{fault.excess * 100:.1f} pp of errors"
    if fault.halted_after is None:
        return f"{what} wouldn't be halted by it"
    failed = ""
    if fault.failed_requests is not None:
        failed = f", after about {fault.failed_requests:,.0f} more failed requests"
    return (
        f"{what} is halted in about {words.rough_words(fault.halted_after.total_seconds())}{failed}"
    )


def rests_words(blast: Blast) -> str:
    """Return what the numbers about people and faults rest on."""
    traffic = blast.traffic
    if traffic is None:
        return "Nobody has seen traffic of this service yet, so nothing is foreseen."
    hours = min((profile.hours_known for _, profile in traffic.targets), default=0)
    known = f"{hours} hour{'' if hours == 1 else 's'} of the week"
    return f"Rests on {traffic.source}: {known}{', so it is a guess' if traffic.assumed else ''}."


def signal_summary(signal: Signal) -> str:
    """Return a signal's evidence in one sentence, as a chart's caption."""
    said = [words.comparison_words(signal), words.ruled_out_words(signal)]
    tolerated = words.tolerated_words(signal)
    said += [tolerated] if tolerated else []
    return f"{signal.name}: {', '.join(said)}: {signal.shown}."


def _pace(foreseen: PhaseForecast | None) -> str:
    if foreseen is None or foreseen.requests_per_second is None:
        return ""
    return f", about {foreseen.requests_per_second:.3g} requests/s"
