"""What all commands about one rollout have in common: its name, and the targets that they touch."""

from dataclasses import dataclass

from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.rollout.model import Rollout
from tidegate.usecases.bus import Command
from tidegate.usecases.outside import Outside
from tidegate.usecases.reading import find_rollout
from tidegate.usecases.resources import resource_of_rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutCommand(Command[Rollout]):
    """A command about the rollout that *rollout* names, as a person types it; answers with a rollout."""

    rollout: str

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the rollout's targets."""
        return resource_of_rollout(self.found(outside, caller))

    def found(self, outside: Outside, caller: Caller) -> Rollout:
        """Return the rollout that is meant; see `find_rollout`."""
        return find_rollout(outside, caller, self.rollout)
