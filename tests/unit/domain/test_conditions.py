"""Conditions: each part of the language, the whole truth table to depth 3, and what a mistake says."""

from datetime import timedelta
from itertools import combinations_with_replacement, product

import pytest

from tidegate.domain.conditions.judge import conjunction, disjunction, judge, negation, truth
from tidegate.domain.conditions.model import (
    MAX_DEPTH,
    MAX_NODES,
    MAX_TEXT_BYTES,
    Among,
    And,
    Compare,
    Comparison,
    Constant,
    Fact,
    Known,
    Mistake,
    Not,
    Or,
    Truth,
)
from tidegate.domain.conditions.parse import parse, parse_literal
from tidegate.domain.conditions.write import write

FACTS = {
    "severity": "sev1",
    "incident.id": "INC-7",
    "cve.score": 9.8,
    "age": timedelta(hours=3),
    "users": 12,
    "exploited": True,
}


def truth_of(text, facts=FACTS):
    condition = parse(text)
    assert not isinstance(condition, Mistake), condition
    return judge(condition, facts).truth


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", Truth.TRUE),
        ("false", Truth.FALSE),
        ("exploited", Truth.TRUE),
        ("exploited == false", Truth.FALSE),
        ('severity == "sev1"', Truth.TRUE),
        ('severity != "sev1"', Truth.FALSE),
        ('severity in ["sev1", "sev2"]', Truth.TRUE),
        ('severity not in ["sev1"]', Truth.FALSE),
        ('not severity in ["sev3"]', Truth.TRUE),
        ("cve.score >= 9.8", Truth.TRUE),
        ("cve.score > 9.8", Truth.FALSE),
        ("cve.score <= 9.8", Truth.TRUE),
        ("cve.score < 9.8", Truth.FALSE),
        ("users == 12", Truth.TRUE),
        ("users in [1, 12.0]", Truth.TRUE),
        ("age < 4h", Truth.TRUE),
        ("age == 2h60m", Truth.TRUE),
        ("age >= 3d", Truth.FALSE),
        ("cve.score > users", Truth.FALSE),
        ("incident.id is known", Truth.TRUE),
        ('incident.id is known and (cve.score >= 7 or severity == "sev2")', Truth.TRUE),
        ("false and missing or true", Truth.TRUE),
        ("true or true and false", Truth.TRUE),
        ("(true or true) and false", Truth.FALSE),
        ("not false and false", Truth.FALSE),
    ],
)
def test_says_what_is_meant(text, expected):
    """Comparisons, lists, precedence (not before and before or) and parentheses are as people read them."""
    assert truth_of(text) is expected


@pytest.mark.parametrize(
    "text",
    [
        "missing",
        "missing == true",
        "missing is known",
        "not missing is known",
        'missing in ["a"]',
        'missing not in ["a"]',
        "missing != 3",
        "cve.score < missing",
        "severity",
        "severity >= 3",
        'cve.score == "9.8"',
        "users == true",
        "exploited == 1",
        "age > 3",
        "severity > severity",
        "exploited < exploited",
        "missing or false",
        "missing and true",
        "not (missing or false)",
    ],
)
def test_what_is_not_known_is_neither_true_nor_false(text):
    """A missing fact, one of another type and an order where there is none are unknown."""
    assert truth_of(text) is Truth.UNKNOWN


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        None,
        [1],
        {"a": 1},
        object(),
        10**400,
        2**53 + 1,
        b"9.8",
        1j,
    ],
)
def test_a_strange_fact_is_no_fact(value):
    """NaN, infinities, numbers that aren't exact and things that are no value are unknown."""
    for text in ("x < 3", "x >= 3", "x == 3", "x != 3", "x in [3]", "x is known", "not x == 3"):
        assert truth_of(text, {"x": value}) is Truth.UNKNOWN


class _Surprise(str):
    __slots__ = ()

    def __eq__(self, other):
        raise RuntimeError("never compare me")

    __hash__ = str.__hash__


def test_a_fact_that_compares_in_its_own_way_is_no_fact():
    """Judging can't be made to fail by a value that isn't one of the plain types."""
    assert truth_of('x == "a"', {"x": _Surprise("a")}) is Truth.UNKNOWN


NUMBER = {Truth.FALSE: 0, Truth.UNKNOWN: 1, Truth.TRUE: 2}
OF_NUMBER = {number: truth for truth, number in NUMBER.items()}


def test_the_three_connectives_are_kleenes():
    """All nine pairs: `and` is the least, `or` the greatest, `not` turns the order round."""
    for one, other in product(Truth, repeat=2):
        pair = (NUMBER[one], NUMBER[other])

        assert conjunction((one, other)) is OF_NUMBER[min(pair)]
        assert disjunction((one, other)) is OF_NUMBER[max(pair)]
    for one in Truth:
        assert negation(one) is OF_NUMBER[2 - NUMBER[one]]


def test_every_condition_to_depth_3_has_its_value_of_kleenes_tables():
    """All 132,498 trees of not, and, or over the three values, against minimum and maximum."""
    atoms = [(Constant(True), 2), (Constant(False), 0), (Fact("missing"), 1)]
    trees = atoms
    for _ in range(3):
        pairs = list(combinations_with_replacement(trees, 2))
        trees = [
            *atoms,
            *((Not(tree), 2 - value) for tree, value in trees),
            *((And((one, other)), min(first, second)) for (one, first), (other, second) in pairs),
            *((Or((other, one)), max(first, second)) for (one, first), (other, second) in pairs),
        ]

    wrong = [write(tree) for tree, value in trees if NUMBER[truth(tree, {})] != value]

    assert len(trees) == 132_498
    assert not wrong


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "the condition ends where"),
        ("and", 1, "and stands where a condition must be"),
        ("a b", 3, "b can't follow here"),
        ("a and", 6, "the condition ends where"),
        ("(a", 3, ") is missing"),
        ("a)", 2, ") can't follow here"),
        ("a = 3", 3, "'=' begins nothing"),
        ("a && b", 3, "'&' begins nothing"),
        ("Severity == 3", 1, "'S' begins nothing"),
        ("a == 'b'", 6, "''' begins nothing".replace("'''", '"\'"')),
        ('a == "b', 6, "isn't closed"),
        (r'a == "\n"', 6, "unknown escape"),
        ("7 <= cve.score", 1, "7 stands where a fact's name must"),
        ('a > "b"', 3, "only numbers and durations have an order"),
        ("a >= true", 3, "only numbers and durations have an order"),
        ("a ==", 5, "after == comes a value"),
        ("a == ==", 6, "after == comes a value"),
        ("a is unknown", 6, "after `is` comes `known`"),
        ("a is not known", 6, "after `is` comes `known`"),
        ("a in []", 7, "a list holds literals"),
        ("a in [b]", 7, "a list holds literals"),
        ('a in ["b", 3]', 12, "a list holds values of one type"),
        ("a in [1, true]", 10, "a list holds values of one type"),
        ("a in [1", 8, "] is missing"),
        ("a in 1", 6, "[ is missing"),
        ("a == 1e5", 7, "'e' can't stand right after 1"),
        ("a == 5x", 7, "'x' can't stand right after 5"),
        ("a == 1.", 7, "'.' can't stand right after 1"),
        ("a == -", 6, "a minus without a number"),
        ("a == 1234567890123456", 6, "too many digits"),
        ("a == 9999999d", 6, "is too long"),
        ("a == 4h.", 8, "'.' can't stand right after 4h"),
        ("a == ٣", 6, "begins nothing"),
        ("a.b. == 3", 4, "'.' begins nothing"),
        ("a\x00", 2, "begins nothing"),
        ("f(a)", 2, "( can't follow here"),
        ("[x for x in y]", 1, "[ stands where a condition must be"),
        (f"{'a' * 101} == 1", 1, "a name of 101 characters"),
    ],
)
def test_a_mistake_says_where_and_what(text, column, message):
    """Each has the column where it is, what is wrong and what to write instead."""
    mistake = parse(text)

    assert isinstance(mistake, Mistake)
    assert (mistake.column, message in mistake.message) == (column, True), mistake
    assert mistake.fix
    assert str(mistake).startswith(f"column {column}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" or ".join(["a"] * (MAX_NODES + 1)), f"more than {MAX_NODES} parts"),
        (f"a in [{', '.join(['1'] * MAX_NODES)}]", f"more than {MAX_NODES} parts"),
        ("(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1), f"deeper than {MAX_DEPTH}"),
        ("not " * (MAX_DEPTH + 1) + "a", f"deeper than {MAX_DEPTH}"),
        ("(" * 4000, f"deeper than {MAX_DEPTH}"),
        ("a" + " " * MAX_TEXT_BYTES, f"longer than {MAX_TEXT_BYTES} bytes"),
        (f'a == "{"é" * (MAX_TEXT_BYTES // 2)}"', f"longer than {MAX_TEXT_BYTES} bytes"),
    ],
)
def test_a_condition_has_bounds(text, message):
    """Parts, depth and bytes are limited, so that judging one is always quick and never recurses far."""
    mistake = parse(text)

    assert isinstance(mistake, Mistake)
    assert message in mistake.message


def test_up_to_its_bounds_a_condition_is_read():
    """The limits are the greatest that is allowed and not the first that isn't."""
    assert not isinstance(parse(" or ".join(["a"] * (MAX_NODES - 1))), Mistake)
    assert not isinstance(parse("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH), Mistake)
    assert not isinstance(parse("a" + " " * (MAX_TEXT_BYTES - 1)), Mistake)


@pytest.mark.parametrize(
    ("text", "unmet"),
    [
        ("cve.score >= 9.9", ("cve.score >= 9.9 is false (cve.score is a number: 9.8)",)),
        ("missing >= 9", ("missing >= 9 is unknown (missing isn't known)",)),
        ("severity >= 9", ('severity >= 9 is unknown (severity is text: "sev1")',)),
        (
            "exploited and (missing or users > 20)",
            (
                "missing is unknown (missing isn't known)",
                "users > 20 is false (users is a number: 12)",
            ),
        ),
        ("not exploited", ("exploited is true (exploited is a truth value: true)",)),
        (
            'not (exploited or severity == "sev9")',
            ("exploited is true (exploited is a truth value: true)",),
        ),
        ("incident.id is known and false", ("false is false",)),
        (
            "users > cve.score and users > missing",
            ("users > missing is unknown (users is a number: 12; missing isn't known)",),
        ),
        ("missing is known", ("missing is known is unknown (missing isn't known)",)),
        ("age > 4h", ("age > 4h is false (age is a duration: 3h)",)),
    ],
)
def test_says_which_part_is_unmet(text, unmet):
    """Only what keeps it from being true is said, each with what is known of its facts."""
    condition = parse(text)
    assert not isinstance(condition, Mistake)

    assert judge(condition, FACTS).unmet == unmet


def test_reads_a_literal_alone():
    """Values that are given by hand are read by the same words as those in conditions."""
    assert parse_literal("9.8") == 9.8
    assert parse_literal("-3") == -3
    assert parse_literal("1h30m") == timedelta(minutes=90)
    assert parse_literal("500ms") == timedelta(milliseconds=500)
    assert parse_literal('"a \\"b\\" \\\\"') == 'a "b" \\'
    assert parse_literal("true") is True
    for text in ("", "sev1", "1 2", "known", "[", "'a'"):
        assert isinstance(parse_literal(text), Mistake), text


def test_reads_all_parts_of_the_language():
    """What each way of writing becomes."""
    assert parse("a and not b or c is known") == Or((And((Fact("a"), Not(Fact("b")))), Known("c")))
    assert parse("(a and b) and c") == And((And((Fact("a"), Fact("b"))), Fact("c")))
    assert parse("a not in [1, 2]") == Not(Among("a", (1.0, 2.0)))
    assert parse("a <= b.c-d_1") == Compare("a", Comparison.AT_MOST, Fact("b.c-d_1"))
