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
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from tidegate.errors import InvalidDocumentError

MAXIMUM_QUERY_LENGTH: Final = 4_096
"""Far above any query a person writes, and small enough that reading one costs nothing."""

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
    reader = _Reader(text)
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


def parse_selector(text: str) -> Selector:
    """
    Return the selector written as *text*, like `http_requests_total{code=~"5.."}`; `$arm` is optional.

    Raises:
        InvalidDocumentError: *text* isn't one selector.
    """
    reader = _Reader(text)
    selector = _read_selector(reader)
    reader.expect_end()
    return selector


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """
    Return the matchers written as *text*, like `code=~"5..",method="POST"`; at least one.

    Raises:
        InvalidDocumentError: *text* isn't a list of matchers.
    """
    reader = _Reader(text)
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


_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<string>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | `[^`]*`)
    | (?P<variable>\$[A-Za-z_]\w*)
    | (?P<duration>(?:\d+(?:ms|[smhdwy]))+(?!\w))
    | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
    | (?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
    | (?P<symbol>=~|!~|!=|==|>=|<=|[=(){}\[\],/*+\-<>^%@])
    """,
    re.VERBOSE,
)

_LABEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "`": "`"}

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


class _Reader:
    """The words of one query, with a place in them."""

    def __init__(self, text: str) -> None:
        self.shown = text if len(text) <= 120 else f"{text[:117]}…"
        self._words: list[tuple[str, str]] = []
        self._place = 0
        if len(text) > MAXIMUM_QUERY_LENGTH:
            raise self.error(
                f"is longer than {MAXIMUM_QUERY_LENGTH} characters ({len(text)})",
                "shorten it, or count the event in the service under one name",
            )
        position = 0
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise self.error(f"can't be read at `{text[position : position + 10]}`", FORMS)
            if found.lastgroup is not None and found.lastgroup != "space":
                self._words.append((found.lastgroup, found.group()))
            position = found.end()
        if not self._words:
            raise self.error("is empty", FORMS)

    def error(self, what: str, hint: str) -> InvalidDocumentError:
        return InvalidDocumentError(f"query `{self.shown}` {what}", hint=hint)

    def at_end(self) -> bool:
        return self._place >= len(self._words)

    def peek(self, ahead: int = 0) -> tuple[str, str]:
        place = self._place + ahead
        return self._words[place] if place < len(self._words) else ("end", "the end")

    def next(self) -> tuple[str, str]:
        word = self.peek()
        self._place += 1
        return word

    def take(self, word: str) -> bool:
        if self.at_end() or self.peek()[1] != word or self.peek()[0] == "string":
            return False
        self._place += 1
        return True

    def expect(self, word: str, hint: str = FORMS) -> None:
        if not self.take(word):
            raise self.error(f"has {self.peek()[1]} where {word} is needed", hint)

    def expect_end(self) -> None:
        if self.at_end():
            return
        word = self.peek()[1]
        if word in ("by", "without"):
            raise self.error(
                f"groups its result with `{word}`",
                f"leave `{word} (…)` out: Tidegate keeps the processes of an arm apart by itself",
            )
        if word in ("offset", "@"):
            raise self.error(
                f"looks at another time with `{word}`", "leave it out: the present is compared"
            )
        if word == "*":
            raise self.error(
                "multiplies", "leave the factor out: the tolerance carries the unit, as in 0.1pp"
            )
        raise self.error(f"goes on with `{word}`", FORMS)


def _read_term(reader: _Reader) -> Selector:
    depth = 0
    while reader.take("("):
        depth += 1
    selector = _read_bare_term(reader)
    for _ in range(depth):
        reader.expect(")")
    return selector


def _read_bare_term(reader: _Reader) -> Selector:
    sort, word = reader.peek()
    if sort == "number":
        raise reader.error(
            f"holds the number {word}",
            "leave factors out: the tolerance carries the unit, as in 0.1pp",
        )
    following = reader.peek(1)[1]
    if sort == "name" and (following == "(" or (word == "sum" and following in ("by", "without"))):
        return _read_sum(reader)
    return _read_selector(reader)


def _read_sum(reader: _Reader) -> Selector:
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
        selector = _read_selector(reader)
    reader.expect(")")
    return selector


def _why_not(function: str) -> str:
    if function in _AGGREGATIONS:
        return f"only counters that are added up can be compared, {function} can't: {FORMS}"
    return FORMS


def _read_ranged(reader: _Reader) -> Selector:
    function = reader.next()[1]
    reader.expect("(")
    selector = _read_selector(reader, ranged=True)
    reader.expect("[", f"{function} needs a window: {function}({selector}[5m])")
    sort, window = reader.next()
    if sort != "duration" and window != "$phase":
        raise reader.error(f"has the window [{window}]", "write a duration like [5m], or [$phase]")
    reader.expect("]", "write a plain window like [5m]; subqueries aren't counters")
    reader.expect(")")
    return selector


def _read_selector(reader: _Reader, *, ranged: bool = False) -> Selector:
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


def _read_variable(reader: _Reader) -> str:
    variable = reader.next()[1]
    if variable not in ("$arm", "$target"):
        raise reader.error(
            f"uses {variable}", "between braces only $arm and $target are put in by Tidegate"
        )
    return variable


def _read_matcher(reader: _Reader) -> Matcher:
    sort, label = reader.next()
    if sort != "name" or not _LABEL_NAME.fullmatch(label):
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
    value = _unquoted(reader, quoted)
    match operator:
        case "=" | "!=":
            return Matcher(label=label, operator=operator, value=value)
        case "=~" | "!~":
            _check_pattern(reader, value)
            return Matcher(label=label, operator=operator, value=value)
        case _:
            raise reader.error(f"has {operator} after the label {label}", "use one of = != =~ !~")


def _unquoted(reader: _Reader, quoted: str) -> str:
    inside = quoted[1:-1]
    if quoted[0] == "`":
        return inside

    def replaced(found: re.Match[str]) -> str:
        character = found.group(1)
        if character not in _ESCAPES:
            raise reader.error(
                f"has the escape \\{character} in {quoted}",
                "double the backslash, or quote the value with backticks",
            )
        return _ESCAPES[character]

    return re.sub(r"\\(.)", replaced, inside)


def _check_pattern(reader: _Reader, pattern: str) -> None:
    try:
        with warnings.catch_warnings():
            # Python only warns where a character class means something else to it than to RE2.
            warnings.simplefilter("error", FutureWarning)
            re.compile(pattern, re.DOTALL)
    except (re.error, FutureWarning) as problem:
        raise reader.error(
            f"has the pattern {pattern}, which can't be used: {problem}",
            "use only what Python and RE2 both know: no \\p classes and no [[:alpha:]]",
        ) from problem
