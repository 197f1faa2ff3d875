"""
What all test states share: they are stored as lists, restored exactly, cut apart and put together.

Rule: a state is a frozen set of float64 arrays whose last axis is the stream, plus a few arrays
(the grid a test was started with) that all streams of a batch share. A stored state brings its
grid along, so a later release with another grid can't read old evidence wrongly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np

from tidegate.stats.arrays import Floats


@dataclass(frozen=True, slots=True, eq=False)
class StreamState:
    """Base of the states. A state never changes: updating returns a new one."""

    shared: ClassVar[frozenset[str]] = frozenset()
    """Names of the arrays that belong to the batch and not to a stream."""

    @property
    def streams(self) -> int:
        """Number of streams in this batch."""
        return next(int(array.shape[-1]) for array in self._arrays(shared=False).values())

    def to_lists(self) -> dict[str, Any]:
        """Return the state as nested lists of finite floats, which JSON keeps to the last bit."""
        return {field.name: getattr(self, field.name).tolist() for field in fields(self)}

    @classmethod
    def from_lists(cls, lists: Mapping[str, Any]) -> Self:
        """
        Return the state that `to_lists` wrote, exactly.

        Raises:
            ValueError: an array is missing, unknown, not finite, or doesn't fit the others.
        """
        names = [field.name for field in fields(cls)]
        if set(lists) != set(names):
            raise ValueError(
                f"{cls.__name__} must have the arrays {sorted(names)}, got {sorted(lists)}"
            )
        try:
            arrays = {name: np.array(lists[name], dtype=np.float64) for name in names}
        except (TypeError, ValueError) as error:
            raise ValueError(f"{cls.__name__} holds something that isn't a number") from error
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise ValueError(f"{cls.__name__}.{name} must be finite")
        state = cls(**arrays)
        state._check_shapes()
        return state

    def select(self, streams: Sequence[int]) -> Self:
        """Return the state of the *streams* with these indices, in this order."""
        index = np.asarray(streams, dtype=np.intp)
        return type(self)(
            **self._arrays(shared=True),
            **{
                # Indexing the last axis may leave the memory transposed, which is slow to work on.
                name: np.ascontiguousarray(array[..., index])
                for name, array in self._arrays(shared=False).items()
            },
        )

    @classmethod
    def concatenate(cls, states: Sequence[Self]) -> Self:
        """
        Return one batch of all streams of *states*, in their order.

        Raises:
            ValueError: there are none, or they were started with different grids.
        """
        if not states:
            raise ValueError(f"there must be at least one {cls.__name__} to concatenate")
        first = states[0]
        for name, array in first._arrays(shared=True).items():
            if any(not np.array_equal(array, getattr(state, name)) for state in states):
                raise ValueError(f"{cls.__name__}.{name} must be the same in all states")
        parts = [state._arrays(shared=False) for state in states]
        return cls(
            **first._arrays(shared=True),
            **{name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]},
        )

    def _arrays(self, *, shared: bool) -> dict[str, Floats]:
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if (field.name in self.shared) is shared
        }

    def _check_shapes(self) -> None:
        grids = {array.shape for array in self._arrays(shared=True).values()}
        if len(grids) > 1 or any(len(shape) != 1 for shape in grids):
            raise ValueError(f"the grids of {type(self).__name__} don't fit each other: {grids}")
        for name, array in self._arrays(shared=False).items():
            fits = array.shape == (self.streams,) or (
                array.ndim == 2 and {(array.shape[0],)} == grids and array.shape[1] == self.streams
            )
            if not fits:
                raise ValueError(
                    f"{type(self).__name__}.{name} must fit {self.streams} streams, "
                    f"got shape {array.shape}"
                )
