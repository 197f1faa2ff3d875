"""
What each signal would have done in the past: stored ticks run again with that signal enforced alone.

So a signal in shadow, or one that somebody wants to enforce, is judged by what it said of rollouts whose
end is known, and not by hope. Installs have no signals and don't count. Nothing is changed.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from tidegate.domain.health.evidence import (
    Evidence,
    SignalEvidence,
    alpha_for_attempt,
    is_broken,
)
from tidegate.domain.plan.model import Effect, Plan
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import Rollout
from tidegate.usecases import evidence as fold
from tidegate.usecases.evidence import EvidenceState, TickRecord
from tidegate.usecases.outside import Outside
from tidegate.usecases.service_health import specs_of, stored_spec
from tidegate.usecases.watch import read_tick

MOST_TICKS: Final = 10_000
"""More than a day of watching at ten seconds a tick; as many are run again before a client gives up."""

MOST_ROLLOUTS: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalHistory:
    """
    What one signal would have done, enforced alone, in the rollouts that had it.

    `halted` names the rollouts it would have halted, `halted_healthy` those of them that completed
    their plan: as far as anybody knows these halts were false. `ticks` counts what was run again; 0
    for a signal that no rollout had. `shadow` is whether it was in shadow in the latest rollout.
    """

    signal: str
    shadow: bool
    rollouts: int
    ticks: int
    halted: tuple[RolloutId, ...]
    halted_healthy: tuple[RolloutId, ...]


class _Stream:
    """The ticks of one attempt, run again: how many each signal was watched in, and what would halt."""

    def __init__(self, rollout: Rollout, attempt: int, ticks: Sequence[TickRecord]) -> None:
        self.rollout = rollout
        self.attempt = attempt
        self.ticks = ticks
        self.plan = _enforced(rollout.plan)
        self.state: EvidenceState | None = None
        self.watched: Counter[str] = Counter()
        self.halting: set[str] = set()

    def take(self, state: EvidenceState) -> None:
        """Go on from *state*, which one more tick has led to."""
        self.state = state
        shown = fold.summarise(self.plan, state, attempt=self.attempt)
        self.watched.update(signal.signal for signal in shown.signals)
        self.halting |= _halting(self.plan, shown)


def signal_history(
    outside: Outside, service: ServiceName, *, most_ticks: int = MOST_TICKS
) -> tuple[SignalHistory, ...]:
    """
    Return what each signal of the latest document of *service* would have done in its past rollouts.

    Newest rollouts first, until *most_ticks* are run again; a rollout that is cut short there counts
    with the ticks that were run. It takes seconds: not for an event loop.

    Raises:
        NotFoundError: there is no such service.
        InvalidDocumentError: its stored document can't be read.
        StoreError: the store can't be read.
    """
    with outside.store.begin(read_only=True) as transaction:
        spec = stored_spec(transaction, service)
        rollouts = transaction.rollouts(service=service, limit=MOST_ROLLOUTS)
    latest = next((specs for one in rollouts if (specs := specs_of(one.plan))), specs_of(spec.plan))
    streams: list[_Stream] = []
    left = most_ticks
    for rollout in rollouts:
        with outside.store.begin(read_only=True) as transaction:
            for attempt in range(1, rollout.attempt + 1):
                ticks = transaction.ticks(rollout.id, attempt, through=left) if left > 0 else ()
                left -= len(ticks)
                streams.append(_Stream(rollout, attempt, [read_tick(tick) for tick in ticks]))
    _run(streams)
    return tuple(
        _past(name, streams, shadow=name in latest and latest[name].shadow)
        for name in specs_of(spec.plan)
    )


def _run(streams: Sequence[_Stream]) -> None:
    """Run all *streams* again side by side: one batch of many costs little more than one of one."""
    for index in range(max((len(stream.ticks) for stream in streams), default=0)):
        going = [stream for stream in streams if index < len(stream.ticks)]
        batch = [(stream.plan, stream.state, stream.ticks[index]) for stream in going]
        for stream, state in zip(going, fold.absorb(batch), strict=True):
            stream.take(state)


def _past(name: str, streams: Sequence[_Stream], *, shadow: bool) -> SignalHistory:
    watching = [stream for stream in streams if stream.watched[name]]
    halted = dict.fromkeys(one.rollout.id for one in watching if name in one.halting)
    completed = {one.rollout.id for one in watching if one.rollout.state is State.COMPLETED}
    return SignalHistory(
        signal=name,
        shadow=shadow,
        rollouts=len({one.rollout.id for one in watching}),
        ticks=sum(one.watched[name] for one in watching),
        halted=tuple(halted),
        halted_healthy=tuple(one for one in halted if one in completed),
    )


def _enforced(plan: Plan) -> Plan:
    """Return *plan* with no signal in shadow, so that each weighs what it would weigh."""
    return replace(
        plan,
        phases=tuple(
            replace(phase, signals=tuple(replace(spec, shadow=False) for spec in phase.signals))
            for phase in plan.phases
        ),
    )


def _halting(plan: Plan, shown: Evidence) -> set[str]:
    """Return the signals each of which halts by itself, all others showing nothing either way."""
    needed = -math.log(alpha_for_attempt(plan.budget, shown.attempt))
    return {
        signal.signal
        for signal in shown.signals
        if _breaks_limit(signal) or _alone(signal) >= needed
    }


def _breaks_limit(signal: SignalEvidence) -> bool:
    limit, value = signal.limit, signal.value
    if limit is None or value is None or limit.effect is not Effect.HALT:
        return False
    return is_broken(limit, value)


def _alone(signal: SignalEvidence) -> float:
    """Return the logarithm of the rollout's e-value if this signal alone had anything to say."""
    if signal.weight <= 0.0:
        return -math.inf
    others = math.log1p(-signal.weight) if signal.weight < 1.0 else -math.inf
    own = math.log(signal.weight) + signal.log_e_harm
    high, low = max(own, others), min(own, others)
    if high == -math.inf:
        return high
    return high + math.log1p(math.exp(low - high))
