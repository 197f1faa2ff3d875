"""The engine as a runner sees it: `step`, `watch`, `ask`, and what is unfinished. No rule is in here."""

from collections.abc import Sequence

from tidegate.domain.quantities import RolloutId
from tidegate.ports.runner import Turn
from tidegate.usecases.debts import keep_debts
from tidegate.usecases.gatekeeping import Gatekeeper
from tidegate.usecases.outside import Outside
from tidegate.usecases.step import step
from tidegate.usecases.watch import Watch


class EngineWork:
    """All that a runner may ask of the engine."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._watch = Watch(outside)
        self._gates = Gatekeeper(outside)

    async def step(self, rollout_id: RolloutId) -> Turn:
        """Take one turn of a rollout."""
        try:
            return await step(self._outside, rollout_id)
        finally:
            # Wherever it stands now, other gates may have a say on it than before.
            self._gates.touch(rollout_id)

    async def watch(self, rollout_ids: Sequence[RolloutId]) -> Sequence[RolloutId]:
        """Read the signals that are due; return the rollouts to be stepped now."""
        return await self._watch.look(rollout_ids)

    async def ask(self) -> None:
        """Ask the gates that are due; what they say is filed, settles debts, and wakes rollouts."""
        await self._gates.look()
        await keep_debts(self._outside)

    def unfinished(self) -> Sequence[RolloutId]:
        """Return every rollout that needs turns."""
        with self._outside.store.begin(read_only=True) as transaction:
            return [rollout.id for rollout in transaction.unfinished()]
