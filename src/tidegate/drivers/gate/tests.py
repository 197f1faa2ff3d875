"""
The gate `tests`: the results that were submitted for this very change are complete and all good.

Several files add up. Rule: a failure anywhere is red; results that are missing, contradictory, too few
or too old can't be told, which holds just the same.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from tidegate.documents.gates import settings_of
from tidegate.documents.gates_verifying import JUnitSettings
from tidegate.domain.durations import rough_duration
from tidegate.domain.gates.model import GateVerdict
from tidegate.drivers.gate.junit import TestReport, read_junit
from tidegate.drivers.gate.submitted import UnreadableError, answer, quoted, submitted, unknown
from tidegate.ports.gate import GateAnswer, GateDocument, GateQuestion

_NAMED_FAILURES = 5
"""More names in a sentence help nobody; the facts hold the count."""


class JUnitGate:
    """Answers the gate `tests` from submitted JUnit XML."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return whether the submitted results are complete and all good; see `ports.gate`."""
        settings = settings_of(question.spec, JUnitSettings)
        return await asyncio.to_thread(_check, question, settings)


def _check(question: GateQuestion, settings: JUnitSettings) -> GateAnswer:
    try:
        documents = submitted(question)
    except UnreadableError as exc:
        return unknown(f"the tests aren't known to pass: {exc}")
    reports: list[tuple[GateDocument, TestReport]] = []
    unreadable: list[str] = []
    for document in documents:
        try:
            reports.append((document, read_junit(document.content, question.now)))
        except UnreadableError as exc:
            unreadable.append(f"{quoted(document.name)}: {exc}")
    facts = _facts([report for _, report in reports], question, documents)
    failed = [name for _, report in reports for name in report.failed]
    if failed:
        return answer(GateVerdict.RED, _failed_words(failed), documents, facts)
    unclear = [
        f"{quoted(document.name)}: {report.unclear[0]}"
        for document, report in reports
        if report.unclear
    ]
    if unreadable or unclear:
        because = f"the tests aren't known to pass: {(unreadable + unclear)[0]}"
        return answer(GateVerdict.UNKNOWN, because, documents, facts)
    return _judge(reports, settings, question.now, facts)


def _judge(
    reports: Sequence[tuple[GateDocument, TestReport]],
    settings: JUnitSettings,
    now: datetime,
    facts: Sequence[tuple[str, str]],
) -> GateAnswer:
    """Return the answer from reports that are clear and without failures."""
    documents = [document for document, _ in reports]
    ran = sum(report.ran for _, report in reports)
    tests = sum(report.tests for _, report in reports)
    missing = [suite for suite in settings.suites if not _has_run(suite, reports)]
    age = max(_age(document, report, now) for document, report in reports)
    red, not_known = GateVerdict.RED, GateVerdict.UNKNOWN
    if missing:
        because = f"the suite {quoted(missing[0])} didn't run, or its results weren't submitted"
        return answer(not_known, because, documents, facts)
    if ran < settings.minimum:
        because = f"{ran} tests ran, at least {settings.minimum} must"
        return answer(not_known, because, documents, facts)
    if age >= settings.max_age:
        because = f"the results are {rough_duration(age)} old"
        return answer(not_known, because, documents, facts)
    if tests - ran > settings.skipped * tests:
        because = f"{tests - ran} of {tests} tests were skipped, {settings.skipped:.0%} may be"
        return answer(red, because, documents, facts)
    because = f"{ran} tests ran and all passed" + (
        f", {tests - ran} were skipped" if tests > ran else ""
    )
    return answer(GateVerdict.GREEN, because, documents, facts, settings.max_age - age)


def _has_run(suite: str, reports: Sequence[tuple[GateDocument, TestReport]]) -> bool:
    """Return whether a testsuite of this name ran, or a file of this name holds tests that did."""
    return any(
        suite in report.suites
        or (report.ran > 0 and suite in {document.name, PurePosixPath(document.name).stem})
        for document, report in reports
    )


def _age(document: GateDocument, report: TestReport, now: datetime) -> timedelta:
    """Return how old a file's results are: by what it says, and at least as old as it is with us."""
    began = document.submitted_at
    if report.began is not None:
        began = min(began, report.began)
    return max(now - began, timedelta(0))


def _facts(
    reports: Sequence[TestReport], question: GateQuestion, documents: Sequence[GateDocument]
) -> tuple[tuple[str, str], ...]:
    counts = {
        "tests": sum(report.tests for report in reports),
        "failed": sum(len(report.failed) for report in reports),
        "skipped": sum(report.skipped for report in reports),
        "passed only when repeated": sum(report.flaky for report in reports),
        "files": len(documents),
        "files replaced": len(question.documents) - len(documents),
    }
    return tuple((name, str(count)) for name, count in counts.items())


def _failed_words(failed: Sequence[str]) -> str:
    names = list(dict.fromkeys(failed))
    more = f" and {len(names) - _NAMED_FAILURES} more" if len(names) > _NAMED_FAILURES else ""
    return f"tests failed: {', '.join(names[:_NAMED_FAILURES])}{more}"
