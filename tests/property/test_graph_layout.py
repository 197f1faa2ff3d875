"""Drawings of layered graphs: whatever the graph, nothing overlaps, and every line leads downwards."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.pages.graph_layout import (
    BETWEEN,
    BOX_HEIGHT,
    BOX_WIDTH,
    MOST_IN_ROW,
    Box,
    Drawing,
    Point,
    lay_out,
)

Graph = tuple[list[str], list[tuple[str, str]]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Graphs without circles, their nodes in any order."""
    size = draw(st.integers(0, 14))
    names = [f"n{number}" for number in range(size)]
    pairs = list(itertools.combinations(names, 2))
    edges = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=30)) if pairs else []
    return draw(st.permutations(names)), edges


def crosses(a: Point, b: Point, box: Box) -> bool:
    """Return whether the way from *a* to *b* has a point inside *box*, off its edges."""
    (ax, ay), (bx, by) = a, b
    lower, upper = max(min(ay, by), box.y), min(max(ay, by), box.y + BOX_HEIGHT)
    if upper - lower <= 1e-6:
        return False
    at = [ax + (bx - ax) * ((y - ay) / (by - ay)) for y in (lower, upper)]
    return min(at) < box.x + BOX_WIDTH - 1e-6 and max(at) > box.x + 1e-6


@given(graphs())
def test_every_node_and_need_is_drawn_inside_the_drawing(graph: Graph) -> None:
    """Nothing is left out, and nothing is cut off."""
    nodes, edges = graph

    drawing = lay_out(nodes, edges)

    assert sorted(box.name for box in drawing.boxes) == sorted(nodes)
    assert {(line.above, line.below) for line in drawing.lines} == set(edges)
    for box in drawing.boxes:
        assert 0 <= box.x <= drawing.width - BOX_WIDTH
        assert 0 <= box.y <= drawing.height - BOX_HEIGHT
    for x, y in itertools.chain.from_iterable(line.points for line in drawing.lines):
        assert 0 <= x <= drawing.width
        assert 0 <= y <= drawing.height


@given(graphs())
def test_no_two_boxes_overlap(graph: Graph) -> None:
    """In a row there is room between them, and rows don't touch."""
    drawing = lay_out(*graph)

    for one, other in itertools.combinations(drawing.boxes, 2):
        if one.row == other.row:
            assert abs(one.x - other.x) >= BOX_WIDTH + BETWEEN - 0.5
        else:
            assert abs(one.y - other.y) > BOX_HEIGHT


@given(graphs())
def test_what_is_needed_stands_below_and_no_row_is_too_wide(graph: Graph) -> None:
    """Trouble is read from below to above, on a page that isn't wider than a page."""
    nodes, edges = graph
    row = {box.name: box.row for box in lay_out(nodes, edges).boxes}

    assert all(row[above] < row[below] for above, below in edges)
    assert all(list(row.values()).count(index) <= MOST_IN_ROW for index in row.values())


@given(graphs())
def test_lines_lead_from_box_to_box_and_cross_no_other(graph: Graph) -> None:
    """Downwards at every turn, from the lower edge of one to the upper edge of the other."""
    drawing = lay_out(*graph)
    boxes = {box.name: box for box in drawing.boxes}

    for line in drawing.lines:
        above, below = boxes[line.above], boxes[line.below]
        assert line.points[0][1] == above.y + BOX_HEIGHT
        assert line.points[-1][1] == below.y
        assert above.x < line.points[0][0] < above.x + BOX_WIDTH
        assert below.x < line.points[-1][0] < below.x + BOX_WIDTH
        for a, b in itertools.pairwise(line.points):
            assert a[1] < b[1]
            assert not [box.name for box in drawing.boxes if crosses(a, b, box)]


@given(graphs())
def test_the_same_graph_gives_the_same_drawing(graph: Graph) -> None:
    """Nothing moves under somebody's eyes because the page came again."""
    nodes, edges = graph

    assert lay_out(nodes, edges) == lay_out(list(nodes), list(edges))


def test_a_crossing_that_can_be_avoided_is() -> None:
    """Two pairs that were written crosswise are drawn side by side."""
    drawing = lay_out(["a", "b", "d", "c"], [("a", "c"), ("b", "d")])
    x = {box.name: box.x for box in drawing.boxes}

    assert (x["a"] < x["b"]) is (x["c"] < x["d"])


def test_a_chain_is_straight() -> None:
    """What has one above and one below stands between them."""
    drawing = lay_out(["a", "b", "c"], [("a", "b"), ("b", "c")])

    assert len({box.x for box in drawing.boxes}) == 1
    assert [box.name for box in drawing.boxes] == ["a", "b", "c"]


def test_nothing_is_a_drawing_too() -> None:
    """Of no nodes."""
    assert lay_out([], []) == Drawing(width=16, height=16, boxes=(), lines=())


def test_a_circle_is_refused() -> None:
    """It has no order to draw."""
    with pytest.raises(ValueError, match="circle"):
        lay_out(["a", "b"], [("a", "b"), ("b", "a")])
