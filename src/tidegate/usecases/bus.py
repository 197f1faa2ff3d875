"""
The one way to change anything: a command, given to `perform` with who sends it.

A command says which permission it needs and what it touches; `perform` rules on that and then carries
it out. The API, the pages and the command line are thin in front of it, so that no surface can have a
check that another one lacks. Rule: a command without a permission can't be defined, and what isn't
granted is refused.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final, Generic, TypeVar

from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.usecases.access import refuse_unless_allowed
from tidegate.usecases.outside import Outside
from tidegate.usecases.step_up import refuse_unless_fresh

Answer = TypeVar("Answer")

COMMANDS: Final[dict[str, type["Command[Any]"]]] = {}
"""Every command that there is, by its full name: for tests and for the reference."""


class Command(ABC, Generic[Answer]):
    """Something that a caller wants done. Its fields are what was asked; it holds no state."""

    permission: ClassVar[Permission]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Put the command on the list. One without a permission is refused at once."""
        super().__init_subclass__(**kwargs)
        # A class that can be carried out is a command; others hold what several have in common.
        if cls.carry_out is not Command.carry_out:
            assert isinstance(getattr(cls, "permission", None), Permission), (
                f"{cls.__name__} says no permission"
            )
            # By name: a dataclass with slots is made twice, and the second one is what stays.
            COMMANDS[f"{cls.__module__}.{cls.__qualname__}"] = cls

    @abstractmethod
    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """
        Return what the command touches.

        Raises:
            NotFoundError: what it names doesn't exist.
        """

    @abstractmethod
    async def carry_out(self, outside: Outside, caller: Caller) -> Answer:
        """Do it. Only `perform` calls this."""


async def perform(outside: Outside, caller: Caller, command: Command[Answer]) -> Answer:
    """
    Carry *command* out for *caller*, if that is allowed.

    Raises:
        ForbiddenError: *caller* may see what it touches but may not do this.
        NotFoundError: what it touches doesn't exist, or not as far as *caller* may know.
        StepUpRequiredError: *caller* may do it once they have proved again who they are.
        TidegateError: what the command itself raises.
    """
    refuse_unless_allowed(outside, caller, command.permission, command.touches(outside, caller))
    refuse_unless_fresh(outside, caller, command.permission)
    return await command.carry_out(outside, caller)
