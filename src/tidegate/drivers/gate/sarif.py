"""
The gate `sarif`: scans of this very change finished, and found no more than is allowed.

What is new is told by the tool (`baselineState`), or by comparing fingerprints with the scan of the last
good version, submitted as a document named `baseline.…`. Rule: what can't be matched with an old finding
is new. A tool that scanned the last good version must have scanned this one, too.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Final

from tidegate.documents.gates import settings_of
from tidegate.documents.gates_verifying import SarifSettings
from tidegate.domain.durations import rough_duration
from tidegate.domain.gates.model import GateVerdict
from tidegate.drivers.gate.sarif_log import Finding, Scan, Severity, read_sarif
from tidegate.drivers.gate.submitted import UnreadableError, answer, quoted, submitted, unknown
from tidegate.ports.gate import GateAnswer, GateDocument, GateQuestion

BASELINE_NAME: Final = "baseline"
"""First part of the name of a document that holds the scan of the last good version."""


class SarifGate:
    """Answers the gate `sarif` from submitted SARIF logs."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return whether the scans found no more than is allowed; see `ports.gate`."""
        settings = settings_of(question.spec, SarifSettings)
        return await asyncio.to_thread(_check, question, settings)


def _check(question: GateQuestion, settings: SarifSettings) -> GateAnswer:
    documents: tuple[GateDocument, ...] = ()
    try:
        documents = submitted(question)
        scans = _read([one for one in documents if not _is_baseline(one)], question.now)
        earlier = _read([one for one in documents if _is_baseline(one)], question.now)
        _demand_tools({*settings.tools, *_tools(earlier)}, _tools(scans))
    except UnreadableError as exc:
        return unknown(f"it isn't known what a scan finds: {exc}", documents)
    age = max(_age(document, scan, question.now) for document, scan in scans)
    if age >= settings.max_age:
        return unknown(f"the scan is {rough_duration(age)} old", documents)
    return _judge(scans, earlier, settings, documents, settings.max_age - age)


_Read = Sequence[tuple[GateDocument, Scan]]


def _read(documents: Iterable[GateDocument], now: datetime) -> _Read:
    found = []
    for document in documents:
        try:
            found.append((document, read_sarif(document.content, now)))
        except UnreadableError as exc:
            raise UnreadableError(f"{quoted(document.name)}: {exc}") from exc
    return found


def _is_baseline(document: GateDocument) -> bool:
    return PurePosixPath(document.name).name.lower().split(".")[0] == BASELINE_NAME


def _tools(scans: _Read) -> set[str]:
    return {tool for _, scan in scans for tool in scan.tools}


def _demand_tools(wanted: set[str], present: set[str]) -> None:
    if not present:
        raise UnreadableError("only a baseline was submitted")
    missing = sorted(wanted - present)
    if missing:
        raise UnreadableError(f"{quoted(missing[0])} didn't scan, or its log wasn't submitted")


def _age(document: GateDocument, scan: Scan, now: datetime) -> timedelta:
    ended = document.submitted_at if scan.ended is None else min(document.submitted_at, scan.ended)
    return max(now - ended, timedelta(0))


def _judge(
    scans: _Read,
    earlier: _Read,
    settings: SarifSettings,
    documents: Sequence[GateDocument],
    lasts: timedelta,
) -> GateAnswer:
    """Return the answer from scans that are complete and fresh."""
    findings = [finding for _, scan in scans for finding in scan.findings]
    counted = [finding for finding in findings if not finding.is_suppressed]
    new = _new(counted, [finding for _, scan in earlier for finding in scan.findings])
    of_all = Counter(finding.severity for finding in counted)
    of_new = Counter(finding.severity for finding in new)
    facts = [(f"new {one.name.lower()}", str(of_new[one])) for one in reversed(Severity)]
    facts += [(one.name.lower(), str(of_all[one])) for one in reversed(Severity)]
    facts.append(("accepted", str(len(findings) - len(counted))))
    facts.append(("tools", ", ".join(sorted(_tools(scans)))))
    facts.append(("compared with", _compared_with(counted, earlier)))
    for severity, is_new, limit in _limits(settings):
        count = (of_new if is_new else of_all)[severity]
        if limit is not None and count > limit:
            chosen = [one for one in (new if is_new else counted) if one.severity is severity]
            because = (
                f"{count} {'new ' if is_new else ''}findings of {severity.name.lower()} severity, "
                f"{limit} may be; among them {_named(chosen[0])}"
            )
            return answer(GateVerdict.RED, because, documents, facts)
    because = f"scanned by {', '.join(map(quoted, sorted(_tools(scans))))}: " + (
        f"{len(new)} new findings, none above the limits" if new else "no new findings"
    )
    return answer(GateVerdict.GREEN, because, documents, facts, lasts)


def _limits(settings: SarifSettings) -> Iterable[tuple[Severity, bool, int | None]]:
    """Return each severity, whether only new findings of it count, and how many there may be."""
    return (
        (Severity.HIGH, True, settings.new_high),
        (Severity.HIGH, False, settings.high),
        (Severity.MEDIUM, True, settings.new_medium),
        (Severity.MEDIUM, False, settings.medium),
        (Severity.LOW, True, settings.new_low),
        (Severity.LOW, False, settings.low),
    )


def _compared_with(findings: Sequence[Finding], earlier: _Read) -> str:
    if earlier:
        return "the scan of the last good version"
    if findings and all(finding.state is not None for finding in findings):
        return "what the tool knew"
    return "nothing: every finding counts as new"


def _new(findings: Sequence[Finding], old: Sequence[Finding]) -> list[Finding]:
    """Return the *findings* that weren't there before; each of the *old* excuses one at most."""
    unused: dict[tuple[str, str], dict[int, Finding]] = {}
    for number, finding in enumerate(old):
        for pair in finding.fingerprints | finding.partial:
            unused.setdefault(pair, {})[number] = finding
    new = []
    for finding in findings:
        if finding.state is not None:
            if finding.state == "new":
                new.append(finding)
        elif not _use_up(finding, unused):
            new.append(finding)
    return new


def _use_up(finding: Finding, unused: dict[tuple[str, str], dict[int, Finding]]) -> bool:
    """Take the old finding that *finding* is out of *unused*; return whether there was one."""
    for pair in finding.fingerprints | finding.partial:
        for number, old in unused.get(pair, {}).items():
            if _is_same(finding, old):
                for other in old.fingerprints | old.partial:
                    unused[other].pop(number, None)
                return True
    return False


def _is_same(finding: Finding, old: Finding) -> bool:
    """Return whether all fingerprints that both carry are equal, and there is at least one."""
    if (finding.tool, finding.rule) != (old.tool, old.rule):
        return False
    if finding.fingerprints and old.fingerprints:
        return _agree(finding.fingerprints, old.fingerprints)
    return finding.place == old.place and _agree(finding.partial, old.partial)


def _agree(one: frozenset[tuple[str, str]], other: frozenset[tuple[str, str]]) -> bool:
    shared = {key for key, _ in one} & {key for key, _ in other}
    return bool(shared) and all(
        dict(one)[key] == dict(other)[key] and dict(one)[key] for key in shared
    )


def _named(finding: Finding) -> str:
    where = f" in {quoted(finding.place)}" if finding.place else ""
    return f"{quoted(finding.rule or 'a finding without a rule')}{where}"
