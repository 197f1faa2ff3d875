"""What differs between two documents: each place by its name, and nothing for what is the same."""

import json

import pytest

from tidegate.documents.difference import MOST_LINES, differences, line_differences


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"limits": {"rps": 100}}, {"limits": {"rps": 120}}, [("limits.rps", "100", "120")]),
        ({"a": 1}, {"a": 1, "b": None}, [("b", None, "null")]),
        ({"a": 1, "b": {"c": [1]}}, {"a": 1}, [("b", '{"c": [1]}', None)]),
        ({"r": [1, 2]}, {"r": [1, 3, 4]}, [("r[1]", "2", "3"), ("r[2]", None, "4")]),
        ({"a b": {"c": 1}}, {"a b": {"c": 2}}, [('["a b"].c', "1", "2")]),
        ({"x": {"a.b": 1}}, {"x": {"a.b": 2}}, [('x["a.b"]', "1", "2")]),
        ([1], {"a": 1}, [("(all)", "[1]", '{"a": 1}')]),
        ({"on": 1}, {"on": True}, [("on", "1", "true")]),
        ({"on": 1}, {"on": 1.0}, [("on", "1", "1.0")]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
    ],
)
def test_each_place_is_named(before, after, said):
    """By what is written there: numbers, truth values and text are never taken for one another."""
    found = differences(json.dumps(before), json.dumps(after))

    assert [(one.place, one.before, one.after) for one in found] == said


def test_lines_are_those_of_a_diff():
    """With their signs, without a header; the same document has none."""
    before, after = '{"a":1,"b":2}', '{"b":3,"a":1}'

    assert line_differences(before, after, around=0) == ("@@ -3 +3 @@", '-  "b": 2', '+  "b": 3')
    assert line_differences(before, before) == ()


def test_too_long_texts_are_not_compared_by_line():
    """It would take a page too long; the places are still told."""
    long = json.dumps(list(range(MOST_LINES)))

    assert line_differences(long, "[]") is None
    assert differences(long, "[]")
