"""The parts of the fleet's page, with the values that they show: the matrix, and what stands above it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tidegate.api.showing.fleet.attention import NeedCard, NextCard
from tidegate.api.showing.fleet.cells import Cell, Column
from tidegate.api.showing.fleet.rows import FleetRow, ServiceRows, elsewhere, line_of
from tidegate.ports.runner import Pulse


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many rollouts there are of something, and where they are alone."""

    label: str
    state: str
    count: int
    address: str
    is_here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A place to go: a kind, a density, a page, a view."""

    label: str
    address: str
    is_here: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Neighbouring columns of one ring."""

    name: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What stands above the matrix."""

    counts: tuple[Count, ...]
    needs: tuple[NeedCard, ...]
    needs_count: int
    needs_address: str
    ahead: tuple[NextCard, ...]
    pulse: Pulse | None
    read_ms: float
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The matrix: columns, and the services of one page. `total` counts the services on all pages."""

    columns: tuple[Column, ...]
    rings: tuple[Ring, ...]
    has_others: bool
    services: tuple[ServiceRows, ...]
    total: int
    dense: bool
    pages: tuple[Link, ...]
    rows_address: str

    def line(self, row: FleetRow) -> Sequence[Cell]:
        """Return the cells of *row*, one per column."""
        return line_of(row, self.columns)

    def elsewhere(self, row: FleetRow) -> str:
        """Return what *row* is on targets that have no column."""
        return elsewhere(row, self.columns)
