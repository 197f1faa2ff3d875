"""
Conditions under any text and any facts.

Reading never fails otherwise than by a mistake, knowing more never turns an answer round, and what is
written is read back equal.
"""

from datetime import timedelta
from itertools import product

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tidegate.domain.conditions.judge import judge, truth
from tidegate.domain.conditions.model import (
    RESERVED,
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
from tidegate.domain.conditions.parse import parse
from tidegate.domain.conditions.write import write

names = st.from_regex(r"\A[a-c][a-z0-9_-]{0,2}(\.[a-z]{1,2}){0,2}\Z").filter(
    lambda name: name not in RESERVED
) | st.sampled_from(["severity", "cve.score", "incident.id"])
numbers = st.integers(-(10**14), 10**14).map(lambda n: n / 1000) | st.integers(-9, 9).map(float)
durations = st.integers(0, 10**12).map(lambda n: timedelta(milliseconds=n))
texts = st.text(st.characters(codec="utf-8"), max_size=12)
literals = st.one_of(st.booleans(), numbers, texts, durations)
lists = st.one_of(
    *(st.lists(one, min_size=1, max_size=4) for one in (st.booleans(), numbers, texts, durations))
).map(tuple)
unordered = st.sampled_from([Comparison.EQUAL, Comparison.UNEQUAL])
leaves = st.one_of(
    st.builds(Constant, st.booleans()),
    st.builds(Fact, names),
    st.builds(Known, names),
    st.builds(Compare, names, unordered, literals | names.map(Fact)),
    st.builds(Compare, names, st.sampled_from(Comparison), numbers | durations | names.map(Fact)),
    st.builds(Among, names, lists),
)
conditions = st.recursive(
    leaves,
    lambda parts: st.one_of(
        st.builds(Not, parts),
        st.builds(And, st.lists(parts, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(parts, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=12,
)
values = st.one_of(
    literals,
    st.none(),
    st.floats(),
    st.integers(),
    st.binary(max_size=3),
    st.timedeltas(),
    st.lists(st.integers(), max_size=2),
)
facts = st.dictionaries(names, values, max_size=6)


@given(conditions)
def test_what_is_written_is_read_back_equal(condition):
    """Text and condition say the same, so that a reason quotes what was really judged."""
    text = write(condition)
    read = parse(text)

    if isinstance(read, Mistake):
        assert "deeper" in read.message or "longer" in read.message or "parts" in read.message
    else:
        assert read == condition
        assert write(read) == text


@settings(max_examples=400)
@given(st.text(max_size=60) | st.text('ab.()[]<>=!"\\ 0123456789nothridmsk,-', max_size=60))
@example("\ud800")
@example('a == "\ud800"')
def test_any_text_gives_a_condition_or_a_mistake(text):
    """Nothing else comes out of reading, and what is read can be judged."""
    read = parse(text)

    if isinstance(read, Mistake):
        assert 1 <= read.column <= len(text) + 1
        assert read.message
        assert read.fix
    else:
        assert judge(read, {}).truth in Truth


words = st.sampled_from(
    [
        "a",
        "b.c",
        "and",
        "or",
        "not",
        "in",
        "is",
        "known",
        "(",
        ")",
        "[",
        "]",
        ",",
        "<",
        ">=",
        "==",
        "!=",
        "7",
        "-0.5",
        "30m",
        '"x"',
        "true",
        "false",
        "1h30m",
        "=",
        "é",
    ]
)


@settings(max_examples=400)
@given(st.lists(words, max_size=25))
def test_any_row_of_words_gives_a_condition_or_a_mistake(row):
    """Words of the language in any order, which come much further than random characters."""
    read = parse(" ".join(row))

    if not isinstance(read, Mistake):
        assert parse(write(read)) == read


@settings(max_examples=200)
@given(conditions, facts)
def test_judging_is_total(condition, known):
    """Whatever the facts hold there is an answer, and reasons exactly when it isn't true."""
    judged = judge(condition, known)

    assert judged.is_true == (not judged.unmet)


@settings(max_examples=250)
@given(conditions, facts, facts)
def test_knowing_more_never_turns_an_answer_round(condition, known, more):
    """Only unknown may change when a fact becomes known: true stays true and false stays false."""
    before = judge(condition, known).truth
    fresh = {name: value for name, value in more.items() if name not in known}
    after = judge(condition, {**fresh, **known}).truth

    assert before is Truth.UNKNOWN or after is before


plain = st.recursive(
    st.sampled_from([Fact("a"), Fact("b"), Known("b"), Known("c")]),
    lambda parts: st.one_of(
        st.builds(Not, parts),
        st.builds(And, st.tuples(parts, parts)),
        st.builds(Or, st.tuples(parts, parts)),
    ),
    max_leaves=6,
)
"""Conditions over three facts that are truth values: here answers change often."""


@settings(max_examples=200)
@given(plain)
def test_knowing_more_never_turns_a_plain_answer_round(condition):
    """All 27 states of knowledge of three facts, each against all that know more."""
    states = [
        dict(zip("abc", values, strict=True)) for values in product((True, False, None), repeat=3)
    ]
    for less, more in product(states, repeat=2):
        if all(value is None or more[name] is value for name, value in less.items()):
            before = truth(condition, less)
            assert before is Truth.UNKNOWN or truth(condition, more) is before


@given(conditions)
def test_nothing_but_a_constant_is_true_when_nothing_is_known(condition):
    """A condition that asks for facts is never green without them, however often it says not."""
    replaced = _with_constants_false(condition)

    assert judge(replaced, {}).truth in (Truth.UNKNOWN, Truth.FALSE) or _has_constant(condition)


def _has_constant(condition):
    match condition:
        case Constant():
            return True
        case Not(part):
            return _has_constant(part)
        case And(parts) | Or(parts):
            return any(map(_has_constant, parts))
        case _:
            return False


def _with_constants_false(condition):
    match condition:
        case Constant():
            return Constant(False)
        case Not(part):
            return Not(_with_constants_false(part))
        case And(parts):
            return And(tuple(map(_with_constants_false, parts)))
        case Or(parts):
            return Or(tuple(map(_with_constants_false, parts)))
        case _:
            return condition
