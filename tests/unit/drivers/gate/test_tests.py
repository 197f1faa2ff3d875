"""Test results lead to green only when they are complete, clear, fresh and without any failure."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from gate_questions import a_question
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.gates.model import GateVerdict
from tidegate.drivers.gate.tests import JUnitGate
from tidegate.errors import InvalidDocumentError
from tidegate.ports.gate import GateAnswer, GateQuestion
from tidegate.testing.builders import START

GREEN, RED, UNKNOWN = GateVerdict.GREEN, GateVerdict.RED, GateVerdict.UNKNOWN

GOOD = b"""<?xml version="1.0" encoding="utf-8"?>
<testsuites name="all"><testsuite name="integration" errors="0" failures="0" skipped="0" tests="2"
 time="1.2" timestamp="2030-01-07T08:30:00+00:00" hostname="ci">
<properties><property name="seed" value="1"/></properties>
<testcase classname="tests.shop" name="test_buys" time="0.5"><system-out>fine</system-out></testcase>
<testcase classname="tests.shop" name="test_sells" time="0.7"/>
</testsuite></testsuites>"""


def suite(*inside: str, **attributes: Any) -> bytes:
    """Return a suite named `integration` that holds *inside*."""
    said = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f'<testsuite name="integration"{said}>{"".join(inside)}</testsuite>'.encode()


PASS = '<testcase name="a"/>'
ALL = b"<testsuites %b><testsuite><testcase name='a'/></testsuite>%b</testsuites>"
SKIP = '<testcase name="s"><skipped/></testcase>'

ALSO_GOOD = {
    "pytest": GOOD,
    "one suite without totals": suite(PASS),
    "GoogleTest": suite(
        '<testcase name="a" status="run" result="completed" time="0" classname="Sum"/>',
        tests=1,
        failures=0,
        disabled=0,
        errors=0,
    ),
    "nested, totals of everything": suite(suite(PASS, tests=1).decode(), PASS, tests=2),
    "nested, totals of its own": suite(suite(PASS, tests=1).decode(), PASS, tests=1),
    "cases without a suite": b"<testsuites><testcase name='a'/></testsuites>",
    "namespaced": b"<j:testsuite xmlns:j='urn:j' name='integration'><j:testcase name='a'/></j:testsuite>",
    "UTF-16": '<?xml version="1.0" encoding="utf-16"?><testsuite><testcase name="ä"/></testsuite>'.encode(
        "utf-16"
    ),
    "a failure only in what was printed": suite(
        '<testcase name="a"><system-out>&lt;failure/&gt;</system-out></testcase>'
    ),
    "passed when repeated": suite('<testcase name="a"><flakyFailure/></testcase>'),
    "within a local time zone": suite(PASS, timestamp="2030-01-07T20:00:00"),
    "one of eleven skipped": suite(PASS * 10, SKIP, tests=11, skipped=1),
}

FAILING = {
    "a failure": suite('<testcase name="a"><failure message="x">trace</failure></testcase>'),
    "an error": suite('<testcase name="a"><error/></testcase>'),
    "a failure among passes": suite(PASS * 50, '<testcase name="b"><failure/></testcase>'),
    "a failure under a prefix": suite('<testcase name="a"><x:failure xmlns:x="urn:x"/></testcase>'),
    "a failure under a default namespace": suite(
        '<testcase name="a"><failure xmlns="urn:x"/></testcase>'
    ),
    "a failure in capitals": suite('<testcase name="a"><FAILURE/></testcase>'),
    "a failure of the suite": suite(PASS, "<failure message='setup'/>"),
    "an error of the suite": suite(PASS, "<error message='teardown'/>"),
    "an error of all suites": ALL % (b"", b"<error/>"),
    "a failure in a nested suite": suite(
        PASS, suite('<testcase name="b"><error/></testcase>').decode()
    ),
    "a failure hidden in a property": suite("<properties><failure/></properties>", PASS),
    "a failed status": suite('<testcase name="a" status="failed"/>'),
    "a result in capitals": suite('<testcase name="a" result="FAILURE"/>'),
    "success that is false": suite('<testcase name="a" success="false"/>'),
    "a failed status of the suite": suite(PASS, status="error"),
    "skipped and failed": suite('<testcase name="a"><skipped/><failure/></testcase>'),
    "failed again when repeated": suite('<testcase name="a"><rerunFailure/></testcase>'),
    "declared failures only": suite(PASS, tests=1, failures=1),
    "declared errors only": suite(PASS, tests=1, errors=2),
    "declared no failures, and one there": suite(
        '<testcase name="a"><failure/></testcase>', tests=1, failures=0
    ),
    "declared failures at the top": ALL % (b"failures='1'", b""),
    "more skipped than allowed": suite(PASS * 8, SKIP * 2),
}

BOMB = b"""<!DOCTYPE z [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<testsuite name="integration"><testcase name="&b;"/></testsuite>"""

UNCLEAR = {
    "nothing": b"",
    "spaces": b"  \n ",
    "text": b"all tests passed",
    "JSON": b'{"testsuite": {"tests": 2}}',
    "a page": b"<html><body>404</body></html>",
    "cut off": GOOD[:-20],
    "two roots": suite(PASS) * 2,
    "a bomb of entities": BOMB,
    "an outside entity": b"<!DOCTYPE z SYSTEM 'file:///etc/passwd'>" + suite(PASS),
    "an undeclared entity": suite('<testcase name="&who;"/>'),
    "too deep": b"<testsuite>" * 100 + b"<testcase name='a'/>" + b"</testsuite>" * 100,
    "not its encoding": b"<testsuite><testcase name='\xff'/></testsuite>",
    "an encoding nobody knows": b"<?xml version='1.0' encoding='klingon'?>" + suite(PASS),
    "no tests": suite(),
    "no tests in many suites": b"<testsuites><testsuite name='a'/><testsuite name='b'/></testsuites>",
    "no tests, declared": suite(tests=0, failures=0),
    "all skipped": suite(SKIP),
    "all not run": suite('<testcase name="a" status="notrun"/>'),
    "fewer than declared": suite(PASS, tests=2),
    "more than declared": suite(PASS * 3, tests=2),
    "fewer than declared at the top": ALL % (b"tests='9'", b""),
    "skipped declared and not there": suite(PASS * 20, skipped=1),
    "skipped there and not declared": suite(PASS * 20, SKIP, skipped=0),
    "a total that is no number": suite(PASS, tests="many"),
    "a negative total": suite(PASS, failures="-1"),
    "a total in other digits": suite(PASS, failures="\u0661"),
    "a word nobody knows": suite('<testcase name="a" status="meh"/>'),
    "an element nobody knows": suite('<testcase name="a"><crashed/></testcase>'),
    "an element of another format": suite(PASS, "<test-case name='b'/>"),
    "a test inside a test": suite('<testcase name="a"><testcase name="b"/></testcase>'),
    "a suite inside a test": suite('<testcase name="a"><testsuite/></testcase>'),
    "too old": suite(PASS, timestamp="2029-12-30T09:00:00+00:00"),
    "one suite of two too old": b"<testsuites><testsuite timestamp='2030-01-07T09:00:00Z'>"
    b"<testcase name='a'/></testsuite><testsuite timestamp='2020-01-07T09:00:00Z'><testcase name='b'/>"
    b"</testsuite></testsuites>",
    "from the future": suite(PASS, timestamp="2030-01-07T09:30:00+00:00"),
    "from tomorrow, without a zone": suite(PASS, timestamp="2030-01-08T09:00:00"),
    "a time that is none": suite(PASS, timestamp="yesterday"),
    "the same attribute in other letters": suite(
        '<testcase name="a" status="failed" Status="ok"/>'
    ),
}


async def ask(settings: Any = None, *files: bytes, **question: Any) -> GateAnswer:
    """Return the gate's answer to *files*, named by their number."""
    submitted = [(f"results-{number}.xml", content) for number, content in enumerate(files, 1)]
    return await JUnitGate().check(a_question("tests", settings, submitted, **question))


@pytest.mark.parametrize("content", ALSO_GOOD.values(), ids=ALSO_GOOD)
async def test_complete_results_without_a_failure_are_green(content: bytes) -> None:
    """The habits of the common tools are understood."""
    answer = await ask(None, content)

    assert answer.verdict is GREEN, answer.because
    assert answer.documents == ("doc-1",)


@pytest.mark.parametrize("content", FAILING.values(), ids=FAILING)
async def test_any_sign_of_a_failure_is_red(content: bytes) -> None:
    """Wherever a tool puts it, a failure isn't overlooked."""
    assert (await ask(None, content)).verdict is RED


@pytest.mark.parametrize("content", UNCLEAR.values(), ids=UNCLEAR)
async def test_what_cant_be_understood_is_never_green(content: bytes) -> None:
    """Garbage, contradictions and old results leave it open whether the tests pass."""
    answer = await ask(None, content)

    assert answer.verdict is UNKNOWN, answer.because
    assert answer.because


async def test_without_results_it_isnt_known() -> None:
    """Missing isn't green."""
    answer = await ask()

    assert answer.verdict is UNKNOWN
    assert answer.because == "the tests aren't known to pass: nothing was submitted for it"


async def test_a_failure_is_named() -> None:
    """Whoever waits is told which test it was."""
    answer = await ask(
        None, suite('<testcase classname="shop.Buy" name="pays"><failure/></testcase>')
    )

    assert answer.because == "tests failed: `shop.Buy.pays`"


async def test_several_files_add_up() -> None:
    """Shards of one run are one result."""
    answer = await ask({"minimum": 3}, GOOD, suite(PASS))

    assert answer.verdict is GREEN
    assert answer.because == "3 tests ran and all passed"
    assert ("tests", "3") in answer.facts
    assert answer.documents == ("doc-1", "doc-2")


@pytest.mark.parametrize(
    "other", [b"garbage", suite(), suite('<testcase name="a"><error/></testcase>')]
)
async def test_a_good_file_doesnt_cover_a_bad_one(other: bytes) -> None:
    """Every submitted file must be good by itself, in either order."""
    assert (await ask(None, GOOD, other)).verdict is not GREEN
    assert (await ask(None, other, GOOD)).verdict is not GREEN


@pytest.mark.parametrize("last_is_good", [True, False])
async def test_the_latest_file_of_a_name_replaces_the_earlier(*, last_is_good: bool) -> None:
    """A repeated run is judged by itself, and the facts tell that there was another."""
    bad = suite('<testcase name="a"><failure/></testcase>')
    files = [("r.xml", bad), ("r.xml", GOOD)] if last_is_good else [("r.xml", GOOD), ("r.xml", bad)]

    answer = await JUnitGate().check(a_question("tests", None, files))

    assert answer.verdict is (GREEN if last_is_good else RED)
    assert ("files replaced", "1") in answer.facts


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        ("integration", GREEN),
        (["integration"], GREEN),
        ({"suites": ["integration"]}, GREEN),
        ({"suites": ["results-1"]}, GREEN),
        ({"suites": ["results-1.xml"]}, GREEN),
        ("end-to-end", UNKNOWN),
        (["integration", "end-to-end"], UNKNOWN),
        ("Integration", UNKNOWN),
        ("", UNKNOWN),
    ],
)
async def test_a_named_suite_must_have_run(settings: Any, verdict: GateVerdict) -> None:
    """Results of something else don't stand for it."""
    if settings == "":
        with pytest.raises(InvalidDocumentError):
            await ask(settings, GOOD)
        return
    assert (await ask(settings, GOOD)).verdict is verdict


async def test_a_named_suite_that_was_skipped_didnt_run() -> None:
    """A suite that is there by name only proves nothing."""
    answer = await ask(
        "integration", b"<testsuite name='unit'><testcase/></testsuite>", suite(SKIP)
    )

    assert answer.verdict is UNKNOWN


async def test_too_few_tests_arent_enough() -> None:
    """A run that selected nearly nothing doesn't pass for the whole."""
    assert (await ask({"minimum": 3}, GOOD)).verdict is UNKNOWN
    assert (await ask({"minimum": 2}, GOOD)).verdict is GREEN


@pytest.mark.parametrize(("share", "verdict"), [(0.0, RED), (0.19, RED), (0.2, GREEN)])
async def test_the_share_of_skipped_tests_is_limited(share: float, verdict: GateVerdict) -> None:
    """The limit itself is still allowed."""
    assert (await ask({"skipped": share}, suite(PASS * 8, SKIP * 2))).verdict is verdict


async def test_green_lasts_until_the_results_are_too_old() -> None:
    """An answer isn't good for longer than what it rests on."""
    answer = await ask({"max_age": "2h"}, GOOD)

    assert answer.lasts == timedelta(hours=1, minutes=30)


async def test_results_are_at_least_as_old_as_they_are_with_us() -> None:
    """A file without a time, or with one that's too young, can't stay fresh for ever."""
    for content in (suite(PASS), suite(PASS, timestamp="2030-01-07T20:00:00")):
        answer = await ask({"max_age": "2h"}, content, now=START + timedelta(hours=3))

        assert answer.verdict is UNKNOWN


async def test_the_oldest_of_several_files_counts() -> None:
    """One fresh file doesn't freshen the others."""
    old = suite(PASS, timestamp="2029-12-01T09:00:00Z")

    assert (await ask(None, GOOD, old)).verdict is UNKNOWN
    assert (await ask(None, old, GOOD)).verdict is UNKNOWN


def _of_another_change(question: GateQuestion) -> GateQuestion:
    return _with(question, change_digest="sha256:" + "f" * 64)


def _of_another_service(question: GateQuestion) -> GateQuestion:
    return _with(question, service="other")


def _tampered(question: GateQuestion) -> GateQuestion:
    return _with(question, content=GOOD.replace(b"test_buys", b"test_runs"))


def _with(question: GateQuestion, **changes: Any) -> GateQuestion:
    [document] = question.documents
    return replace(question, documents=(replace(document, **changes),))


@pytest.mark.parametrize("spoil", [_of_another_change, _of_another_service, _tampered])
async def test_a_document_of_something_else_doesnt_count(spoil: Any) -> None:
    """Results are bound to the change; what the store mixes up isn't taken."""
    question = a_question("tests", None, {"r.xml": GOOD})

    assert (await JUnitGate().check(question)).verdict is GREEN
    assert (await JUnitGate().check(spoil(question))).verdict is UNKNOWN


@pytest.mark.parametrize(
    "settings",
    [{"suite": "integration"}, {"minimum": 0}, {"skipped": "10%"}, {"max_age": "7"}, 3, [1]],
)
async def test_settings_that_make_no_sense_are_refused(settings: Any) -> None:
    """They are ours to mend, not the submitter's."""
    with pytest.raises(InvalidDocumentError):
        await ask(settings, GOOD)


@given(st.binary(max_size=400))
async def test_random_bytes_are_never_green(content: bytes) -> None:
    """Nor do they raise."""
    assert (await ask(None, content)).verdict is UNKNOWN


WORDS = st.sampled_from(
    [
        "testsuites",
        "testsuite",
        "testcase",
        "failure",
        "error",
        "skipped",
        "properties",
        "x:error",
        "q",
    ]
)
TREES = st.recursive(
    WORDS.map(lambda word: f"<{word}/>"),
    lambda inside: st.builds(
        lambda word, children, tests: f"<{word} {tests}>{''.join(children)}</{word}>",
        WORDS,
        st.lists(inside, max_size=4),
        st.sampled_from(["", 'tests="1"', 'failures="0"', 'status="failed"', 'status="passed"']),
    ),
    max_leaves=20,
)


@given(TREES)
async def test_a_tree_with_a_failure_is_never_green(tree: str) -> None:
    """Whatever its shape, and nothing without a test is green either."""
    content = f'<testsuite xmlns:x="urn:x">{tree}</testsuite>'.encode()

    answer = await ask(None, content)

    if any(sign in tree for sign in ("<failure", "error", 'status="failed"', "<q")):
        assert answer.verdict is not GREEN
    if "testcase" not in tree:
        assert answer.verdict is not GREEN
