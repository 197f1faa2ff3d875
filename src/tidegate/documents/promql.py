"""
The few forms of PromQL that a signal may be written in, read without asking a server.

A signal needs counters, not a computed curve: windows of `rate` overlap from tick to tick, so their
values can't be added up as evidence. Therefore a query is taken apart into the counters it is made of;
the window is checked and then forgotten, since Tidegate makes its own differences, per process.

Rule: what isn't one of the forms is refused with the fix, never guessed at. No I/O here; how a selector
becomes a request belongs to the driver.

Syntax: https://prometheus.io/docs/prometheus/latest/querying/basics/
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from tidegate.documents.promql_words import Reader, check_pattern, unquoted
from tidegate.errors import InvalidDocumentError

FORMS: Final = (
    "write SELECTOR, sum(SELECTOR), sum(rate(SELECTOR[5m])) or sum(increase(SELECTOR[5m])), "
    "or one of these divided by another; a SELECTOR is like orders_total{$arm}"
)

MatchOperator = Literal["=", "!=", "=~", "!~"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One condition on a label. An absent label is the empty string, as in Prometheus."""

    label: str
    operator: MatchOperator
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether *labels* satisfy this condition. Patterns match the whole value."""
        actual = labels.get(self.label, "")
        match self.operator:
            case "=":
                return actual == self.value
            case "!=":
                return actual != self.value
            case "=~":
                return re.fullmatch(self.value, actual, re.DOTALL) is not None
            case "!~":
                return re.fullmatch(self.value, actual, re.DOTALL) is None

    def __str__(self) -> str:
        return f'{self.label}{self.operator}"{escape_label_value(self.value)}"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """
    Which series of one metric are meant.

    `arm` and `target` say whether `$arm` and `$target` stood in the braces: the driver puts in the
    matchers that tell this arm and this target from the others.
    """

    metric: str
    matchers: tuple[Matcher, ...] = ()
    arm: bool = False
    target: bool = False

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether *labels* satisfy every matcher; the metric's name isn't looked at."""
        return all(matcher.matches(labels) for matcher in self.matchers)

    def narrowed(self, *matchers: Matcher) -> "Selector":
        """Return this selector with *matchers* added, and nothing left to put in."""
        return replace(self, matchers=(*self.matchers, *matchers), arm=False, target=False)

    def __str__(self) -> str:
        placeholders = [
            name for name, used in (("$arm", self.arm), ("$target", self.target)) if used
        ]
        inside = ",".join([*placeholders, *map(str, self.matchers)])
        return f"{self.metric}{{{inside}}}" if inside else self.metric


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterQuery:
    """The counters that a query is made of: `bad / total`, or `total` alone."""

    total: Selector
    bad: Selector | None = None


def parse_query(text: str) -> CounterQuery:
    """
    Return the counters that *text* is made of.

    Accepted are `SELECTOR`, `sum(SELECTOR)`, `sum(rate(SELECTOR[5m]))`, `sum(increase(SELECTOR[5m]))`
    and the ratio of two of them. Each selector must hold `$arm`, else both arms would be the same
    numbers; it may hold `$target`. A window may be `$phase`.

    Raises:
        InvalidDocumentError: anything else, with the way to write it instead.
    """
    reader = Reader(text, forms=FORMS)
    first = _read_term(reader)
    second: Selector | None = None
    if reader.take("/"):
        second = _read_term(reader)
    reader.expect_end()
    for selector in (first, second):
        if selector is not None and not selector.arm:
            raise InvalidDocumentError(
                f"query `{reader.shown}` can't tell the candidate from the baseline",
                hint=f"put $arm into the braces: {replace(selector, arm=True)}",
            )
    return CounterQuery(total=first) if second is None else CounterQuery(total=second, bad=first)


def parse_selector(text: str, *, dotted: bool = False) -> Selector:
    """
    Return the selector written as *text*, like `http_requests_total{code=~"5.."}`; `$arm` is optional.

    With *dotted*, names are those of OpenTelemetry: `http.server.request.duration{http.route="/"}`.

    Raises:
        InvalidDocumentError: *text* isn't one selector.
    """
    reader = Reader(text, forms=FORMS, dotted=dotted)
    selector = read_selector(reader)
    reader.expect_end()
    return selector


def parse_matchers(text: str, *, dotted: bool = False) -> tuple[Matcher, ...]:
    """
    Return the matchers written as *text*, like `code=~"5..",method="POST"`; at least one.

    With *dotted*, names are those of OpenTelemetry.

    Raises:
        InvalidDocumentError: *text* isn't a list of matchers.
    """
    reader = Reader(text, forms=FORMS, dotted=dotted)
    matchers: list[Matcher] = []
    while not reader.at_end():
        matchers.append(_read_matcher(reader))
        if not reader.take(","):
            break
    reader.expect_end()
    return tuple(matchers)


def escape_label_value(value: str) -> str:
    """Return *value* as it must stand between double quotes in PromQL."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


_FUNCTION_HINTS: Final = {
    "histogram_quantile": "give the histogram itself with kind: latency, like "
    "http_request_duration_seconds_bucket{$arm}",
    "irate": "use rate or increase; Tidegate makes its own differences, so the two are the same here",
    "rate": "put sum( ) around it: sum(rate(SELECTOR[5m]))",
    "increase": "put sum( ) around it: sum(increase(SELECTOR[5m]))",
}
_AGGREGATIONS: Final = frozenset(
    {"avg", "min", "max", "count", "quantile", "stddev", "stdvar", "topk", "bottomk", "group"}
)


def _read_term(reader: Reader) -> Selector:
    depth = 0
    while reader.take("("):
        depth += 1
    selector = _read_bare_term(reader)
    for _ in range(depth):
        reader.expect(")")
    return selector


def _read_bare_term(reader: Reader) -> Selector:
    sort, word = reader.peek()
    if sort == "number":
        raise reader.error(
            f"holds the number {word}",
            "leave factors out: the tolerance carries the unit, as in 0.1pp",
        )
    following = reader.peek(1)[1]
    if sort == "name" and (following == "(" or (word == "sum" and following in ("by", "without"))):
        return _read_sum(reader)
    return read_selector(reader)


def _read_sum(reader: Reader) -> Selector:
    function = reader.next()[1]
    if function != "sum":
        raise reader.error(f"uses {function}()", _FUNCTION_HINTS.get(function, _why_not(function)))
    if reader.peek()[1] in ("by", "without"):
        reader.expect_end()
    reader.expect("(")
    inner = reader.peek()[1]
    if inner in ("rate", "increase") and reader.peek(1)[1] == "(":
        selector = _read_ranged(reader)
    elif reader.peek(1)[1] == "(" and reader.peek()[0] == "name":
        raise reader.error(f"uses {inner}()", _FUNCTION_HINTS.get(inner, _why_not(inner)))
    else:
        selector = read_selector(reader)
    reader.expect(")")
    return selector


def _why_not(function: str) -> str:
    if function in _AGGREGATIONS:
        return f"only counters that are added up can be compared, {function} can't: {FORMS}"
    return FORMS


def _read_ranged(reader: Reader) -> Selector:
    function = reader.next()[1]
    reader.expect("(")
    selector = read_selector(reader, ranged=True)
    reader.expect("[", f"{function} needs a window: {function}({selector}[5m])")
    sort, window = reader.next()
    if sort != "duration" and window != "$phase":
        raise reader.error(f"has the window [{window}]", "write a duration like [5m], or [$phase]")
    reader.expect("]", "write a plain window like [5m]; subqueries aren't counters")
    reader.expect(")")
    return selector


def read_selector(reader: Reader, *, ranged: bool = False) -> Selector:
    """Read one selector; *ranged* says that a window may follow it."""
    sort, metric = reader.next()
    if sort != "name":
        raise reader.error(
            f"has {metric} where a counter's name is needed",
            "name the counter before the braces, like orders_total{$arm}",
        )
    matchers: list[Matcher] = []
    variables: set[str] = set()
    if reader.take("{"):
        while not reader.take("}"):
            if reader.peek()[0] == "variable":
                variables.add(_read_variable(reader))
            else:
                matchers.append(_read_matcher(reader))
            if not reader.take(","):
                reader.expect("}", "part the conditions by commas and close the braces")
                break
    if not ranged and reader.peek()[1] == "[":
        raise reader.error(
            "has a window without rate or increase", f"write sum(rate({metric}{{$arm}}[5m]))"
        )
    return Selector(
        metric=metric,
        matchers=tuple(matchers),
        arm="$arm" in variables,
        target="$target" in variables,
    )


def _read_variable(reader: Reader) -> str:
    variable = reader.next()[1]
    if variable not in ("$arm", "$target"):
        raise reader.error(
            f"uses {variable}", "between braces only $arm and $target are put in by Tidegate"
        )
    return variable


def _read_matcher(reader: Reader) -> Matcher:
    sort, label = reader.next()
    if sort != "name" or not reader.names.fullmatch(label):
        raise reader.error(f"has {label} where a label is needed", 'write label="value"')
    if label == "__name__":
        raise reader.error(
            "chooses its metric by __name__", "name the counter before the braces instead"
        )
    operator = reader.next()[1]
    sort, quoted = reader.next()
    if sort != "string":
        raise reader.error(
            f"has {quoted} where a quoted value of {label} is needed", f'write {label}="value"'
        )
    value = unquoted(reader, quoted)
    match operator:
        case "=" | "!=":
            return Matcher(label=label, operator=operator, value=value)
        case "=~" | "!~":
            check_pattern(reader, value)
            return Matcher(label=label, operator=operator, value=value)
        case _:
            raise reader.error(f"has {operator} after the label {label}", "use one of = != =~ !~")
