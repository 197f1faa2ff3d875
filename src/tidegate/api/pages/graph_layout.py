"""
Where the boxes and lines of a layered graph go: what needs something stands above what it needs.

Pure: the same graph gives the same drawing. Promises, held by property tests: no two boxes overlap, no line
crosses a box, every line leads downwards, and no row is wider than a page. What a box says and how it looks
isn't known here. The method is that of Sugiyama, Tagawa and Toda (1981): rows, order in them, then places.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

BOX_WIDTH: Final = 184
BOX_HEIGHT: Final = 84
LANE_WIDTH: Final = 16
"""The room that a line takes which passes a row."""
BETWEEN: Final = 16
"""Between two things in a row."""
ROW_GAP: Final = 52
"""Between two rows: where lines may lean."""
MARGIN: Final = 8
MOST_IN_ROW: Final = 4
"""As many boxes as a page has room for beside its panel; more stand in the next row."""
SWEEPS: Final = 8
"""How often rows are put in order by their neighbours; later ones change next to nothing."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One node: its corner on the upper left, in pixels, and its row, counted from 0."""

    name: str
    row: int
    x: float
    y: float

    @property
    def middle(self) -> float:
        """Its middle from the left."""
        return self.x + BOX_WIDTH / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One need: from the lower edge of the box above through `points` to the upper edge of the one below."""

    above: str
    below: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """All of it, and how much room it takes. Boxes are in the order of rows, then from the left."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class _Lane:
    """The place in a row that a line passes through: the `above` and `below` of the line, and which row."""

    above: str
    below: str
    row: int


_Item = str | _Lane
_Rows = list[list[_Item]]


def lay_out(nodes: Sequence[str], needs: Iterable[tuple[str, str]]) -> Drawing:
    """
    Return a drawing of *nodes*.

    Args:
        nodes: Their names, each once; the order decides where nothing else does.
        needs: Pairs of a node and one that it needs; both among *nodes*.

    Raises:
        ValueError: the needs go round in a circle.
    """
    edges = list(dict.fromkeys(needs))
    row_of = _rows_of(nodes, edges)
    if not row_of:
        return Drawing(width=2 * MARGIN, height=2 * MARGIN, boxes=(), lines=())
    rows, links = _with_lanes(nodes, edges, row_of)
    rows = _in_order(rows, links)
    middle = _placed(rows, links)
    boxes = tuple(
        Box(name=item, row=index, x=middle[item] - BOX_WIDTH / 2, y=_top(index))
        for index, row in enumerate(rows)
        for item in row
        if isinstance(item, str)
    )
    right = max(middle[item] + _width(item) / 2 for row in rows for item in row)
    return Drawing(
        width=right + MARGIN,
        height=_top(len(rows) - 1) + BOX_HEIGHT + MARGIN,
        boxes=boxes,
        lines=tuple(_line(edge, row_of, middle, edges) for edge in edges),
    )


# --- rows ----------------------------------------------------------------------------------------


def _rows_of(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return the row of each node: the first that is below all that need it and has room."""
    needed_by: dict[str, set[str]] = {name: set() for name in nodes}
    for above, below in edges:
        needed_by[below].add(above)
    depth = _depths(nodes, edges)
    row_of: dict[str, int] = {}
    row = 0
    while len(row_of) < len(nodes):
        ready = [
            name
            for name in nodes
            if name not in row_of and all(row_of.get(one, row) < row for one in needed_by[name])
        ]
        if not ready:
            raise ValueError("the needs go round in a circle")
        # What most hangs on first, so that a full row delays only what ends there.
        ready.sort(key=lambda name: -depth[name])
        row_of.update(dict.fromkeys(ready[:MOST_IN_ROW], row))
        row += 1
    return row_of


def _depths(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return how many nodes follow one another below each."""
    below_of: dict[str, list[str]] = {name: [] for name in nodes}
    for above, below in edges:
        below_of[above].append(below)
    depth: dict[str, int] = {}
    for start in nodes:
        waiting = [(start, False)]
        going: set[str] = set()
        while waiting:
            name, is_done = waiting.pop()
            if is_done:
                going.discard(name)
                depth[name] = 1 + max((depth[one] for one in below_of[name]), default=-1)
            elif name in going:
                raise ValueError("the needs go round in a circle")
            elif name not in depth:
                going.add(name)
                waiting.append((name, True))
                waiting.extend((one, False) for one in below_of[name] if one not in depth)
    return depth


def _with_lanes(
    nodes: Sequence[str], edges: Sequence[tuple[str, str]], row_of: Mapping[str, int]
) -> tuple[_Rows, list[dict[_Item, list[_Item]]]]:
    """Return the rows with a lane for each line that passes one, and who is linked with whom below."""
    rows: _Rows = [[] for _ in range(max(row_of.values()) + 1)]
    for name in nodes:
        rows[row_of[name]].append(name)
    links: list[dict[_Item, list[_Item]]] = [{} for _ in rows]
    for above, below in edges:
        upper: _Item = above
        for row in range(row_of[above] + 1, row_of[below] + 1):
            lower: _Item = below if row == row_of[below] else _Lane(above, below, row)
            if lower != below:
                rows[row].append(lower)
            links[row - 1].setdefault(upper, []).append(lower)
            upper = lower
    return rows, links


# --- order ---------------------------------------------------------------------------------------


def _in_order(rows: _Rows, links: Sequence[Mapping[_Item, Sequence[_Item]]]) -> _Rows:
    """Return *rows* in an order in which few lines cross: the best that the sweeps came by."""
    best, fewest = rows, _crossings(rows, links)
    for sweep in range(SWEEPS):
        rows = _swept(rows, links, down=sweep % 2 == 0)
        crossings = _crossings(rows, links)
        if crossings < fewest:
            best, fewest = rows, crossings
    return best


def _swept(rows: _Rows, links: Sequence[Mapping[_Item, Sequence[_Item]]], *, down: bool) -> _Rows:
    """Return *rows* with each in the order of the middle of its neighbours in the row before."""
    found = [list(row) for row in rows]
    indices = range(1, len(rows)) if down else range(len(rows) - 2, -1, -1)
    for index in indices:
        before = found[index - 1 if down else index + 1]
        place = {item: at for at, item in enumerate(before)}
        found[index] = _by_neighbours(found[index], _beside(links, index, down=down), place)
    return found


def _by_neighbours(
    row: Sequence[_Item], beside: Mapping[_Item, Sequence[_Item]], place: Mapping[_Item, int]
) -> list[_Item]:
    """Return *row* sorted by where the neighbours are; what has none, and equals, stay where they were."""
    key: dict[_Item, float] = {}
    for at, item in enumerate(row):
        places = [place[one] for one in beside.get(item, ())]
        key[item] = sum(places) / len(places) if places else at
    return sorted(row, key=key.__getitem__)


def _beside(
    links: Sequence[Mapping[_Item, Sequence[_Item]]], index: int, *, down: bool
) -> dict[_Item, list[_Item]]:
    """Return the neighbours of each item of row *index* in the row above (*down*) or below."""
    if not down:
        return {item: list(lower) for item, lower in links[index].items()}
    found: dict[_Item, list[_Item]] = {}
    for upper, lowers in links[index - 1].items():
        for lower in lowers:
            found.setdefault(lower, []).append(upper)
    return found


def _crossings(rows: _Rows, links: Sequence[Mapping[_Item, Sequence[_Item]]]) -> int:
    return sum(
        _crossings_below(upper, lower, link)
        for upper, lower, link in zip(rows, rows[1:], links, strict=False)
    )


def _crossings_below(
    upper: Sequence[_Item], lower: Sequence[_Item], link: Mapping[_Item, Sequence[_Item]]
) -> int:
    place = {item: at for at, item in enumerate(lower)}
    ends = [(at, place[one]) for at, item in enumerate(upper) for one in link.get(item, ())]
    return sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for i, a in enumerate(ends) for b in ends[i + 1 :])


# --- places --------------------------------------------------------------------------------------


def _placed(rows: _Rows, links: Sequence[Mapping[_Item, Sequence[_Item]]]) -> dict[_Item, float]:
    """Return the middle of each item from the left: near its neighbours, in order, and clear of the next."""
    middle: dict[_Item, float] = {}
    for row in rows:
        offsets = _offsets(row)
        middle |= {item: at - offsets[-1] / 2 for item, at in zip(row, offsets, strict=True)}
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for index in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            beside = _beside(links, index, down=down)
            wanted = [
                _mean([middle[one] for one in beside.get(item, ())] or [middle[item]])
                for item in rows[index]
            ]
            middle |= zip(rows[index], _apart(wanted, _offsets(rows[index])), strict=True)
    left = min(middle[item] - _width(item) / 2 for row in rows for item in row)
    return {item: round(at - left + MARGIN, 1) for item, at in middle.items()}


def _offsets(row: Sequence[_Item]) -> list[float]:
    """Return how far the middle of each item is from that of the first when they stand close."""
    offsets = [0.0]
    for before, item in itertools.pairwise(row):
        offsets.append(offsets[-1] + (_width(before) + _width(item)) / 2 + BETWEEN)
    return offsets


def _apart(wanted: Sequence[float], offsets: Sequence[float]) -> list[float]:
    """
    Return the places nearest to *wanted* that keep the order and the distances of *offsets*.

    Nearest by squares: less the offsets this is isotonic regression, solved by pooling neighbours that
    would overlap.
    """
    pools: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        total, count = want - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before = pools.pop()
            total, count = total + before[0], count + before[1]
        pools.append((total, count))
    level = [total / count for total, count in pools for _ in range(count)]
    return [at + offset for at, offset in zip(level, offsets, strict=True)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _width(item: _Item) -> float:
    return LANE_WIDTH if isinstance(item, _Lane) else BOX_WIDTH


def _top(row: int) -> float:
    return MARGIN + row * (BOX_HEIGHT + ROW_GAP)


# --- lines ---------------------------------------------------------------------------------------


def _line(
    edge: tuple[str, str],
    row_of: Mapping[str, int],
    middle: Mapping[_Item, float],
    edges: Sequence[tuple[str, str]],
) -> Line:
    """Return the line of *edge*: it leans only between rows, and passes a row in its lane."""
    above, below = edge
    points = [(_port(edge, middle, edges, at_top=False), _top(row_of[above]) + BOX_HEIGHT)]
    for row in range(row_of[above] + 1, row_of[below]):
        x = middle[_Lane(above, below, row)]
        points += [(x, _top(row)), (x, _top(row) + BOX_HEIGHT)]
    points.append((_port(edge, middle, edges, at_top=True), _top(row_of[below])))
    return Line(above=above, below=below, points=tuple(points))


def _port(
    edge: tuple[str, str],
    middle: Mapping[_Item, float],
    edges: Sequence[tuple[str, str]],
    *,
    at_top: bool,
) -> float:
    """Return where on the edge of its box a line ends: side by side, in the order of the other ends."""
    own = edge[1] if at_top else edge[0]
    ends = [one for one in edges if (one[1] if at_top else one[0]) == own]
    ends.sort(key=lambda one: middle[one[0] if at_top else one[1]])
    share = (ends.index(edge) + 1) / (len(ends) + 1)
    return round(middle[own] + (share - 0.5) * BOX_WIDTH, 1)
