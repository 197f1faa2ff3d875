"""A scan leads to green only when it is there, finished, fresh and found nothing new that is severe."""

import json
from datetime import timedelta
from typing import Any

import pytest
from gate_questions import a_question
from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.gates.model import GateVerdict
from tidegate.drivers.gate.sarif import SarifGate
from tidegate.ports.gate import GateAnswer
from tidegate.testing.builders import START

GREEN, RED, UNKNOWN = GateVerdict.GREEN, GateVerdict.RED, GateVerdict.UNKNOWN

RULES = [
    {"id": "sql", "properties": {"security-severity": "9.8"}},
    {"id": "xss", "properties": {"security-severity": "7.0"}},
    {"id": "log", "properties": {"security-severity": "6.9"}},
    {"id": "style", "defaultConfiguration": {"level": "note"}},
    {"id": "crash", "defaultConfiguration": {"level": "error"}},
    {"id": "odd"},
]


def result(rule: str = "sql", **more: Any) -> dict[str, Any]:
    """Return a result of *rule*, in a file and with a fingerprint."""
    return {
        "ruleId": rule,
        "message": {"text": "x"},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": "src/shop.py"}}}],
        **more,
    }


def run(*results: Any, name: str = "CodeQL", **more: Any) -> dict[str, Any]:
    """Return a finished run of the tool *name*."""
    return {
        "tool": {"driver": {"name": name, "rules": RULES}},
        "invocations": [{"executionSuccessful": True, "endTimeUtc": "2030-01-07T08:00:00Z"}],
        "results": list(results),
        **more,
    }


def log(*runs: Any, **more: Any) -> bytes:
    """Return a log of *runs*."""
    return json.dumps({"version": "2.1.0", "runs": list(runs), **more}).encode()


def without(holder: dict[str, Any], key: str) -> dict[str, Any]:
    """Return *holder* without *key*."""
    return {name: value for name, value in holder.items() if name != key}


CLEAN = log(run())

HARMLESS = {
    "nothing found": CLEAN,
    "with a byte order mark": b"\xef\xbb\xbf" + CLEAN,
    "without invocations": log(without(run(), "invocations")),
    "two tools": log(run(), run(name="Semgrep")),
    "a low finding": log(run(result("style"))),
    "a medium finding": log(run(result("log"))),
    "a finding without level or score": log(run(result("odd"))),
    "a passed check": log(run(result("sql", kind="pass"))),
    "a check that doesn't apply": log(run(result("sql", kind="notApplicable", level="none"))),
    "an old finding": log(run(result("sql", baselineState="unchanged"))),
    "a finding that moved": log(run(result("sql", baselineState="updated"))),
    "a finding that is gone": log(run(result("sql", baselineState="absent"))),
    "an accepted finding": log(
        run(result(suppressions=[{"kind": "external", "status": "accepted"}]))
    ),
}

SEVERE = {
    "by score of the rule": log(run(result("sql"))),
    "by the bound itself": log(run(result("xss"))),
    "by level": log(run(result("odd", level="error"))),
    "by level although the score is low": log(run(result("log", level="error"))),
    "by score although the level is low": log(run(result("sql", level="note"))),
    "by the rule's level": log(run(result("crash"))),
    "by an own score": log(run(result("odd", properties={"security-severity": "8"}))),
    "by a score as a number": log(run(result("odd", properties={"security-severity": 7.5}))),
    "by the rule's place": log(run({"ruleIndex": 0})),
    "by a reference": log(run({"rule": {"id": "sql"}})),
    "by a place in a reference": log(run({"rule": {"index": 1}})),
    "by a broader rule": log(run(result("sql/stored"))),
    "by a rule of an extension": log(
        run(
            {"ruleId": "q", "rule": {"index": 0, "toolComponent": {"index": 0}}},
            tool={
                "driver": {"name": "CodeQL"},
                "extensions": [
                    {"name": "e", "rules": [{"id": "q", "properties": {"security-severity": "9"}}]}
                ],
            },
        )
    ),
    "by the worst of two rules of one name": log(
        run(
            result("a"),
            tool={"driver": {"name": "T", "rules": [{"id": "a"}, {**RULES[0], "id": "a"}]}},
        )
    ),
    "by a level that the run overrides": log(
        run(
            result("odd"),
            invocations=[
                {
                    "executionSuccessful": True,
                    "ruleConfigurationOverrides": [
                        {"descriptor": {"id": "odd"}, "configuration": {"level": "error"}}
                    ],
                }
            ],
        )
    ),
    "told to be new": log(run(result(baselineState="new"))),
    "new among old": log(
        run(result(baselineState="unchanged"), result("xss", baselineState="new"))
    ),
    "without a state among old": log(run(result(baselineState="unchanged"), result("xss"))),
    "undecided by the tool": log(run(result("sql", kind="open"))),
    "left for review": log(run(result("sql", kind="review"))),
    "passed, with the level error": log(run(result("odd", kind="pass", level="error"))),
    "suppressed without a word on review": log(run(result(suppressions=[{"kind": "inSource"}]))),
    "suppression under review": log(
        run(result(suppressions=[{"kind": "external", "status": "underReview"}]))
    ),
    "suppression rejected by one": log(
        run(result(suppressions=[{"status": "accepted"}, {"status": "rejected"}]))
    ),
    "no suppression in the list": log(run(result(suppressions=[]))),
    "in the second run": log(run(), run(result(), name="Semgrep")),
}

UNCLEAR = {
    "nothing": b"",
    "text": b"no findings",
    "not an object": b"[]",
    "cut off": CLEAN[:-2],
    "not UTF-8": b'{"version": "2.1.0\xff"}',
    "another version": log(run(), version="2.0.0"),
    "no version": json.dumps({"runs": [run()]}).encode(),
    "no runs": log(),
    "runs that are null": json.dumps({"version": "2.1.0", "runs": None}).encode(),
    "runs left out": json.dumps({"version": "2.1.0"}).encode(),
    "a run that is text": log("run"),
    "results that are null": log(run(results=None)),
    "results left out": log(without(run(), "results")),
    "results that are an object": log(run(results={})),
    "a result that is null": log(run(None)),
    "results left out in the second run": log(run(), without(run(), "results")),
    "results kept elsewhere": log(run(externalPropertyFileReferences={"results": [{}]})),
    "results kept in the log": log(run(), inlineExternalProperties=[{"results": []}]),
    "a scan that failed": log(run(invocations=[{"executionSuccessful": False}])),
    "one of two invocations failed": log(
        run(invocations=[{"executionSuccessful": True}, {"executionSuccessful": False}])
    ),
    "a scan that doesn't say how it ended": log(run(invocations=[{}])),
    "a scan that ended well as text": log(run(invocations=[{"executionSuccessful": "true"}])),
    "no tool": log(without(run(), "tool")),
    "a tool without a name": log(run(tool={"driver": {}})),
    "a tool with an empty name": log(run(name="")),
    "an unknown kind": log(run(result(kind="maybe"))),
    "an unknown level": log(run(result(level="fatal"))),
    "a level that is null": log(run(result(level=None))),
    "an unknown baseline state": log(run(result(baselineState="old"))),
    "a rule that isn't there": log(run({"ruleIndex": 99})),
    "a rule at a negative place": log(run({"ruleIndex": -2})),
    "two rules for one result": log(run({"ruleId": "style", "ruleIndex": 0})),
    "a score that is no number": log(run(result(properties={"security-severity": "high"}))),
    "a score that is NaN": log(run(result(properties={"security-severity": "nan"}))),
    "a score below zero": log(run(result(properties={"security-severity": "-1"}))),
    "a score above ten": log(run(result(properties={"security-severity": "11"}))),
    "a score that is true": log(run(result(properties={"security-severity": True}))),
    "a key that stands twice": CLEAN.replace(b'"runs"', b'"runs": [], "runs"'),
    "results that stand twice": log(run(result())).replace(
        b'"results"', b'"results": [], "results"'
    ),
    "NaN": CLEAN.replace(b'"2.1.0"', b"NaN"),
    "a number without end": CLEAN.replace(b"true", b"9" * 5000),
    "a number beyond all": CLEAN.replace(b"true", b"1e999"),
    "too deep": b"[" * 100_000,
    "too old": log(
        run(invocations=[{"executionSuccessful": True, "endTimeUtc": "2029-12-01T00:00:00Z"}])
    ),
    "from the future": log(
        run(invocations=[{"executionSuccessful": True, "endTimeUtc": "2030-01-07T10:00:00Z"}])
    ),
    "at no time": log(run(invocations=[{"executionSuccessful": True, "endTimeUtc": "noon"}])),
}


async def ask(settings: Any = None, **documents: bytes) -> GateAnswer:
    """Return the gate's answer to *documents* by the first part of their names."""
    named = {f"{name}.sarif": content for name, content in documents.items()}
    return await SarifGate().check(a_question("sarif", settings, named))


@pytest.mark.parametrize("content", HARMLESS.values(), ids=HARMLESS)
async def test_a_finished_scan_with_nothing_new_and_severe_is_green(content: bytes) -> None:
    """What is old, accepted or small doesn't hold by default."""
    answer = await ask(scan=content)

    assert answer.verdict is GREEN, answer.because


@pytest.mark.parametrize("content", SEVERE.values(), ids=SEVERE)
async def test_a_new_severe_finding_is_red(content: bytes) -> None:
    """Wherever its severity is written, the highest counts."""
    assert (await ask(scan=content)).verdict is RED


@pytest.mark.parametrize("content", UNCLEAR.values(), ids=UNCLEAR)
async def test_what_doesnt_say_what_was_found_is_never_green(content: bytes) -> None:
    """A scan that failed or can't be read isn't one that found nothing."""
    answer = await ask(scan=content)

    assert answer.verdict is UNKNOWN, answer.because
    assert (await ask(scan=CLEAN, other=content)).verdict is UNKNOWN


async def test_without_a_scan_it_isnt_known() -> None:
    """Missing isn't green, and a baseline isn't a scan."""
    assert (await ask()).verdict is UNKNOWN
    assert (await ask(baseline=CLEAN)).verdict is UNKNOWN


async def test_the_sentence_names_a_finding_and_the_limit() -> None:
    """Whoever waits is told what to look for."""
    answer = await ask(scan=log(run(result(), result("xss"))))

    assert answer.because == (
        "2 new findings of high severity, 0 may be; among them `sql` in `src/shop.py`"
    )
    assert ("new high", "2") in answer.facts
    assert ("compared with", "nothing: every finding counts as new") in answer.facts


PRINT = {"fingerprints": {"v1": "aaa"}}
PARTIAL = {"partialFingerprints": {"line/v1": "bbb"}}
ELSEWHERE = {"locations": [{"physicalLocation": {"artifactLocation": {"uri": "src/other.py"}}}]}


@pytest.mark.parametrize(
    ("old", "now", "verdict"),
    [
        (result(**PRINT), result(**PRINT), GREEN),
        (result(**PARTIAL), result(**PARTIAL), GREEN),
        (result(**PRINT), result(**PRINT, **ELSEWHERE), GREEN),
        (result(**PARTIAL), result(**PARTIAL, **ELSEWHERE), RED),
        (result(**PRINT), result(fingerprints={"v1": "zzz"}), RED),
        (result(**PRINT), result(fingerprints={"v1": "aaa", "v2": "bbb"}), GREEN),
        (
            result(fingerprints={"v1": "aaa", "v2": "ccc"}),
            result(fingerprints={"v1": "aaa", "v2": "bbb"}),
            RED,
        ),
        (result(**PRINT), result("xss", **PRINT), RED),
        (result(), result(), RED),
        (result(fingerprints={"v1": ""}), result(fingerprints={"v1": ""}), RED),
        (result(**PRINT, baselineState="absent"), result(**PRINT), RED),
        (result(**PRINT), result(**PRINT, baselineState="new"), RED),
    ],
)
async def test_a_finding_is_old_when_its_fingerprint_was_there(
    old: dict[str, Any], now: dict[str, Any], verdict: GateVerdict
) -> None:
    """What can't be matched surely counts as new."""
    answer = await ask(scan=log(run(now)), baseline=log(run(old)))

    assert answer.verdict is verdict, answer.because


async def test_one_old_finding_excuses_one_new_one() -> None:
    """A copy of a known hole is another hole."""
    twice = log(run(result(**PRINT), result(**PRINT)))

    assert (await ask(scan=twice, baseline=log(run(result(**PRINT))))).verdict is RED
    assert (await ask(scan=twice, baseline=twice)).verdict is GREEN


async def test_an_old_finding_of_another_tool_excuses_nothing() -> None:
    """Fingerprints mean something only to the tool that made them."""
    old = log(run(result(**PRINT)), run(name="Semgrep"))
    now = log(run(), run(result(**PRINT), name="Semgrep"))

    assert (await ask(scan=now, baseline=old)).verdict is RED


@pytest.mark.parametrize("baseline", [b"garbage", log(), log(run(results=None))])
async def test_a_baseline_that_cant_be_read_isnt_an_empty_one(baseline: bytes) -> None:
    """Nothing is decided on half of a comparison."""
    assert (await ask(scan=CLEAN, baseline=baseline)).verdict is UNKNOWN


async def test_a_tool_of_the_baseline_must_have_scanned() -> None:
    """A scanner that was taken away finds nothing."""
    answer = await ask(scan=CLEAN, baseline=log(run(), run(name="Semgrep")))

    assert answer.verdict is UNKNOWN
    assert "`Semgrep` didn't scan" in answer.because


async def test_a_named_tool_must_have_scanned() -> None:
    """By name, exactly."""
    assert (await ask({"tools": "CodeQL"}, scan=CLEAN)).verdict is GREEN
    assert (await ask({"tools": ["CodeQL", "Trivy"]}, scan=CLEAN)).verdict is UNKNOWN


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        ({}, GREEN),
        ({"new_medium": 1}, GREEN),
        ({"new_medium": 0}, RED),
        ({"new_low": 0}, RED),
        ({"medium": 1}, RED),
        ({"medium": 2, "low": 1}, GREEN),
        ({"low": 0}, RED),
        ({"high": 0}, RED),
        ({"high": 1}, GREEN),
    ],
)
async def test_each_severity_has_its_limits(settings: Any, verdict: GateVerdict) -> None:
    """For new findings and for all of them."""
    scan = log(
        run(
            result("sql", baselineState="unchanged"),
            result("log", baselineState="unchanged"),
            result("log", baselineState="new"),
            result("style", baselineState="new"),
        )
    )

    assert (await ask(settings, scan=scan)).verdict is verdict


async def test_more_severe_findings_can_be_allowed_by_number() -> None:
    """The limit itself is still allowed."""
    two = log(run(result(), result("xss")))

    assert (await ask({"new_high": 2}, scan=two)).verdict is GREEN
    assert (await ask({"new_high": 1}, scan=two)).verdict is RED


async def test_green_lasts_until_the_scan_is_too_old() -> None:
    """The scan ended an hour before the question."""
    assert (await ask({"max_age": "3h"}, scan=CLEAN)).lasts == timedelta(hours=2)


async def test_a_scan_is_at_least_as_old_as_it_is_with_us() -> None:
    """A log without a time can't stay fresh for ever."""
    question = a_question(
        "sarif",
        {"max_age": "1h"},
        {"scan.sarif": log(without(run(), "invocations"))},
        now=START + timedelta(hours=1),
    )

    assert (await SarifGate().check(question)).verdict is UNKNOWN


@given(st.binary(max_size=400))
async def test_random_bytes_are_never_green(content: bytes) -> None:
    """Nor do they raise."""
    assert (await ask(scan=content)).verdict is UNKNOWN


IN_RUNS = ["tool", "driver", "name", "rules", "results", "invocations", "executionSuccessful"]
IN_RESULTS = ["ruleId", "ruleIndex", "rule", "level", "kind", "baselineState", "suppressions"]
KEYS = st.sampled_from(["version", "runs", *IN_RUNS, *IN_RESULTS])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 9)
    | st.floats()
    | st.sampled_from(["2.1.0", "sql", "error", ""]),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(KEYS, inside, max_size=4),
    max_leaves=12,
)


@given(JSON, JSON)
async def test_json_of_any_shape_is_answered(value: Any, inside: Any) -> None:
    """Whatever stands where, the gate answers; only a list of results can be found clean."""
    for content in (
        value,
        {"version": "2.1.0", "runs": [{**run(), "results": inside, "tool": value}]},
    ):
        answer = await ask(scan=json.dumps(content).encode())

        assert answer.verdict is not GREEN or inside == [] or isinstance(inside, list)


@given(inside=JSON)
async def test_a_run_of_any_shape_with_a_severe_finding_isnt_green(inside: Any) -> None:
    """One more result of any shape doesn't cover the severe one."""
    assert (await ask(scan=log(run(inside, result())))).verdict is not GREEN
