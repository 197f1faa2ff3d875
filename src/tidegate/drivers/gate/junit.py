"""
What a JUnit XML file says: how many tests ran, which failed, and what in it contradicts itself.

There is no standard, only habits of many tools. Rule 1: what is counted are the test cases themselves;
totals that a file declares are only compared with that. Rule 2: any sign of a failure, on whatever
element, is one. Rule 3: an element or a word that we don't know makes the file unclear, never green.

Sources: the schemas of Apache Maven Surefire 3 (surefire-test-report), Jenkins xUnit, and GoogleTest's
"Generating an XML Report".
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from tidegate.drivers.gate.safe_xml import Element, read_xml
from tidegate.drivers.gate.submitted import (
    CLOCK_SKEW,
    LOCAL_TIME_SKEW,
    UnreadableError,
    has_zone,
    quoted,
    read_time,
)

_SUITES: Final = frozenset({"testsuites", "testsuite"})
_FAILURES: Final = frozenset({"failure", "error", "rerunfailure", "rerunerror"})
_FLAKES: Final = frozenset({"flakyfailure", "flakyerror"})
_SKIPS: Final = frozenset({"skipped", "disabled"})
_TEXTS: Final = frozenset({"system-out", "system-err", "stacktrace"})
_KNOWN: Final = (
    _SUITES | _FAILURES | _FLAKES | _SKIPS | _TEXTS | {"testcase", "properties", "property"}
)

_STATUS_ATTRIBUTES: Final = ("status", "result", "outcome", "success")
_PASSED_WORDS: Final = frozenset(
    {"", "passed", "pass", "success", "succeeded", "successful", "ok", "run", "completed", "true"}
)
_SKIPPED_WORDS: Final = frozenset({"skipped", "notrun", "ignored", "disabled", "suppressed"})
_FAILED_WORDS: Final = frozenset(
    {"failed", "failure", "fail", "error", "errored", "broken", "aborted", "timeout", "false"}
)


@dataclass(slots=True)
class _Tally:
    """What was counted below one element."""

    tests: int = 0
    skipped: int = 0

    def add(self, other: "_Tally") -> None:
        self.tests += other.tests
        self.skipped += other.skipped


@dataclass(slots=True)
class TestReport:
    """
    What one file says.

    `failed` names what failed, `unclear` says what keeps the file from being understood. `suites` are
    those in which a test ran. `began` is the oldest time that the file tells.
    """

    __test__ = False  # Not a test, whatever pytest makes of its name.

    tests: int = 0
    skipped: int = 0
    flaky: int = 0
    failed: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    suites: set[str] = field(default_factory=set)
    began: datetime | None = None

    @property
    def ran(self) -> int:
        """How many tests ran."""
        return self.tests - self.skipped


def read_junit(content: bytes, now: datetime) -> TestReport:
    """
    Return what the JUnit XML file *content* says, seen at *now*.

    Raises:
        UnreadableError: it isn't safe XML, or isn't JUnit.
    """
    root = read_xml(content)
    if root.name not in _SUITES:
        raise UnreadableError(f"it isn't JUnit XML: it opens with <{root.name[:40]}>")
    report = TestReport()
    tally = _read_suite(root, report, now)
    report.tests, report.skipped = tally.tests, tally.skipped
    if report.tests == 0:
        report.unclear.append("it holds no tests")
    return report


def _read_suite(suite: Element, report: TestReport, now: datetime) -> _Tally:
    own, below = _Tally(), _Tally()
    _read_time_of(suite, report, now)
    _read_status(suite, report)
    for child in suite.children:
        if child.name in _SUITES:
            below.add(_read_suite(child, report, now))
        elif child.name == "testcase":
            own.add(_read_case(child, report))
        else:
            _read_other(child, _named(suite), report)
    everything = _Tally()
    everything.add(own)
    everything.add(below)
    _compare_totals(suite, own, everything, report)
    if everything.tests > everything.skipped and suite.attributes.get("name"):
        report.suites.add(suite.attributes["name"])
    return everything


def _read_case(case: Element, report: TestReport) -> _Tally:
    is_skipped = _read_status(case, report)
    is_flaky = False
    for child in case.children:
        is_skipped = is_skipped or child.name in _SKIPS
        is_flaky = is_flaky or child.name in _FLAKES
        _read_other(child, _named(case), report)
    report.flaky += is_flaky
    return _Tally(tests=1, skipped=int(is_skipped))


def _read_other(element: Element, owner: str, report: TestReport) -> None:
    """Look for failures and for what isn't known in *element*, which is no suite and no test case."""
    for each in _all_below(element):
        if each.name in _FAILURES:
            report.failed.append(owner)
        elif each.name in _SUITES or each.name == "testcase":
            report.unclear.append(f"<{each.name}> stands inside <{element.name[:40]}> of {owner}")
        elif each.name not in _KNOWN:
            report.unclear.append(f"it has an element that isn't known: {quoted(each.name, 40)}")


def _all_below(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children:
        yield from _all_below(child)


def _read_status(element: Element, report: TestReport) -> bool:
    """Note what the attributes of *element* say about how it went; return whether it was skipped."""
    is_skipped = False
    for attribute in _STATUS_ATTRIBUTES:
        word = element.attributes.get(attribute, "").strip().lower()
        if word in _FAILED_WORDS:
            report.failed.append(_named(element))
        elif word in _SKIPPED_WORDS:
            is_skipped = True
        elif word not in _PASSED_WORDS:
            report.unclear.append(f"{_named(element)} has the {attribute} {quoted(word, 40)}")
    return is_skipped and element.name == "testcase"


def _compare_totals(suite: Element, own: _Tally, everything: _Tally, report: TestReport) -> None:
    """
    Compare what *suite* declares with what was counted.

    Some tools count only the suite's own tests and some also those of the suites in it; both are taken.
    """
    declared = {
        key: _declared(suite, key, report)
        for key in ("tests", "failures", "errors", "skipped", "disabled")
    }
    for key in ("failures", "errors"):
        if declared[key]:
            report.failed.append(f"{_named(suite)} ({declared[key]} {key} declared)")
    tests = declared["tests"]
    if tests is not None and tests not in (own.tests, everything.tests):
        report.unclear.append(
            f"{_named(suite)} declares {tests} tests and holds {everything.tests}"
        )
    skipped, disabled = declared["skipped"], declared["disabled"]
    if skipped is None and disabled is None:
        return
    told = {skipped or 0, (skipped or 0) + (disabled or 0)}
    if not told & {own.skipped, everything.skipped}:
        report.unclear.append(
            f"{_named(suite)} declares {max(told)} skipped tests and holds {everything.skipped}"
        )


def _declared(suite: Element, key: str, report: TestReport) -> int | None:
    text = suite.attributes.get(key)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        report.unclear.append(f"{_named(suite)} declares {quoted(text, 20)} {key}")
        return None
    return int(text)


def _read_time_of(suite: Element, report: TestReport, now: datetime) -> None:
    text = suite.attributes.get("timestamp")
    if text is None:
        return
    try:
        began = read_time(text)
    except UnreadableError as exc:
        report.unclear.append(f"the timestamp of {_named(suite)}: {exc}")
        return
    if began > now + (CLOCK_SKEW if has_zone(text) else LOCAL_TIME_SKEW):
        report.unclear.append(f"{_named(suite)} ran in the future, at {quoted(text, 40)}")
    report.began = began if report.began is None else min(report.began, began)


def _named(element: Element) -> str:
    name = element.attributes.get("name") or "without a name"
    group = element.attributes.get("classname")
    return quoted(f"{group}.{name}" if group else name)
