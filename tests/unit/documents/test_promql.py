"""The forms of PromQL that are accepted, and the fix for each that isn't."""

import pytest

from tidegate.documents.promql import (
    CounterQuery,
    Matcher,
    Selector,
    parse_matchers,
    parse_query,
    parse_selector,
)
from tidegate.documents.promql_words import MAXIMUM_QUERY_LENGTH
from tidegate.errors import InvalidDocumentError

ORDERS = Selector(metric="orders_total", arm=True)
FIVE_HUNDREDS = Matcher(label="code", operator="=~", value="5..")


@pytest.mark.parametrize(
    ("text", "counters"),
    [
        ("orders_total{$arm}", CounterQuery(total=ORDERS)),
        ("sum(orders_total{$arm})", CounterQuery(total=ORDERS)),
        ("sum(rate(orders_total{$arm}[5m]))", CounterQuery(total=ORDERS)),
        ("sum(increase(orders_total{$arm}[$phase]))", CounterQuery(total=ORDERS)),
        ("  ( sum (\n rate( orders_total { $arm , } [ 1h30m ] ) ) ) ", CounterQuery(total=ORDERS)),
        (
            'sum(rate(http_requests_total{$arm,$target,code=~"5.."}[5m]))'
            " / sum(rate(http_requests_total{$arm,$target}[5m]))",
            CounterQuery(
                total=Selector(metric="http_requests_total", arm=True, target=True),
                bad=Selector(
                    metric="http_requests_total",
                    matchers=(FIVE_HUNDREDS,),
                    arm=True,
                    target=True,
                ),
            ),
        ),
        (
            'app:orders:total{route!="/a\\"b\\\\c",$arm,method!~\'P.+\',note=`\\d`}',
            CounterQuery(
                total=Selector(
                    metric="app:orders:total",
                    matchers=(
                        Matcher(label="route", operator="!=", value='/a"b\\c'),
                        Matcher(label="method", operator="!~", value="P.+"),
                        Matcher(label="note", operator="=", value="\\d"),
                    ),
                    arm=True,
                )
            ),
        ),
        ("sum{$arm}", CounterQuery(total=Selector(metric="sum", arm=True))),
    ],
)
def test_reads_what_people_write(text: str, counters: CounterQuery) -> None:
    """Each accepted form comes down to its counters; windows make no difference."""
    found = parse_query(text)

    assert found == counters


@pytest.mark.parametrize(
    ("text", "says", "fix"),
    [
        ("sum(rate(a_total[5m]))", "can't tell the candidate", "a_total{$arm}"),
        ("a{$arm} / b", "can't tell the candidate", "b{$arm}"),
        ("max(pg_lock_wait_seconds{$target})", "uses max()", "only counters"),
        ("sum(avg(a{$arm}))", "uses avg()", "only counters"),
        (
            "histogram_quantile(0.99, sum(rate(x_bucket{$arm}[5m])) by (le))",
            "uses histogram_quantile()",
            "kind: latency",
        ),
        ("sum by (pod) (a{$arm})", "groups its result with `by`", "leave `by"),
        ("sum(a{$arm}) without (pod)", "groups its result with `without`", "leave `without"),
        ("100 * sum(a{$arm})", "the number 100", "leave factors out"),
        ("sum(a{$arm}) * 100", "multiplies", "leave the factor out"),
        ("sum(rate(a{$arm}))", "has ) where [ is needed", "rate(a{$arm}[5m])"),
        ("a{$arm}[5m]", "window without rate", "sum(rate(a{$arm}[5m]))"),
        ("sum(rate(a{$arm}[5m]", "has the end where ) is needed", "SELECTOR"),
        ("rate(a{$arm}[5m])", "uses rate()", "sum(rate("),
        ("sum(irate(a{$arm}[5m]))", "uses irate()", "use rate or increase"),
        ("sum(rate(a{$arm}[5m:1m]))", "where ] is needed", "subqueries"),
        ("sum(rate(a{$arm}[$__rate_interval]))", "the window [$__rate_interval]", "[5m]"),
        ("a{$arm} offset 5m", "another time", "the present"),
        ("a{$arm} @ 1600000000", "another time", "the present"),
        ("a{$arm} > 5", "goes on with `>`", "SELECTOR"),
        ("a{$arm} / b{$arm} / c{$arm}", "goes on with `/`", "SELECTOR"),
        ('{__name__="a",$arm}', "where a counter's name is needed", "before the braces"),
        ('a{__name__="b",$arm}', "by __name__", "before the braces"),
        ("a{$arm,x=1}", "where a quoted value of x is needed", 'x="value"'),
        ('a{$arm,x=="1"}', "after the label x", "= != =~ !~"),
        ('a{$arm,x:y="1"}', "where a label is needed", "label="),
        ('a{$arm x="1"}', "has x where } is needed", "commas"),
        ("a{$version}", "uses $version", "$arm and $target"),
        ('a{$arm,c=~"[[:digit:]]"}', "which can't be used", "RE2"),
        ('a{$arm,c=~"("}', "which can't be used", "RE2"),
        ('a{$arm,b="\\q"}', "the escape \\q", "double the backslash"),
        ("a{$arm", "has the end where } is needed", "close the braces"),
        ("sum(", "where a counter's name is needed", "orders_total{$arm}"),
        ("((((a{$arm})))", "has the end where ) is needed", "SELECTOR"),
        ("a{$arm} §", "can't be read at `§`", "SELECTOR"),
        ("", "is empty", "SELECTOR"),
        ("(" * 1_000_000, f"longer than {MAXIMUM_QUERY_LENGTH}", "shorten"),
    ],
)
def test_refuses_the_rest_with_the_fix(text: str, says: str, fix: str) -> None:
    """What can't be counted is refused by name, and the hint says what to write instead."""
    with pytest.raises(InvalidDocumentError) as refusal:
        parse_query(text)

    assert says in refusal.value.message
    assert fix in refusal.value.hint


def test_deep_parentheses_are_only_parentheses() -> None:
    """Nesting costs no stack, so a hostile query can't take the reader down."""
    text = "(" * 2_000 + "a{$arm}" + ")" * 2_000

    found = parse_query(text)

    assert found.total.metric == "a"


def test_a_selector_alone_needs_no_arm() -> None:
    """A scraped member is an arm by its address, so its counters need no label for it."""
    found = parse_selector('orders_total{route="/buy"}')

    assert found.metric == "orders_total"
    assert not found.arm
    assert str(found) == 'orders_total{route="/buy"}'


@pytest.mark.parametrize("text", ["", "code", 'code="500" method="GET"', "code=500", "$arm"])
def test_matchers_are_a_list_of_conditions(text: str) -> None:
    """A list of matchers holds nothing else, and at least one."""
    with pytest.raises(InvalidDocumentError):
        parse_matchers(text)


@pytest.mark.parametrize(
    ("matcher", "labels", "matches"),
    [
        ('code=~"5.."', {"code": "503"}, True),
        ('code=~"5.."', {"code": "1503"}, False),
        ('code=~"5.."', {}, False),
        ('code!~"5.."', {"code": "200"}, True),
        ('code="200"', {"code": "200"}, True),
        ('code!="200"', {}, True),
        ('code=""', {}, True),
        ('code=~"|5.."', {}, True),
        ('text=~"a.b"', {"text": "a\nb"}, True),
    ],
)
def test_matchers_match_as_in_prometheus(
    matcher: str, labels: dict[str, str], matches: bool
) -> None:
    """Patterns are anchored on both sides, and an absent label is the empty string."""
    [condition] = parse_matchers(matcher)

    assert condition.matches(labels) is matches


def test_a_value_survives_being_written_and_read() -> None:
    """Escaping is exact: a version with quotes, backslashes and line ends stays that version."""
    value = 'a "b" \\ c\n{d}\\n'
    selector = Selector(
        metric="a", matchers=(Matcher(label="version", operator="=", value=value),), arm=True
    )

    found = parse_query(str(selector))

    assert found.total == selector
