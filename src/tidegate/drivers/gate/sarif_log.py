"""
What a SARIF log says: which tools scanned, whether they finished, and what they found how severe.

Rule 1: where the format lets a severity come from several places, the highest counts. Rule 2: a run that
didn't finish, has no tool or no results, or whose results are kept elsewhere, tells nothing: absent
results aren't an empty list. Whether a finding is too much is decided by the gate.

Source: OASIS SARIF 2.1.0, sections 3.13 (log), 3.14 (run), 3.20 (invocation), 3.27 (result: kind,
level, baselineState, fingerprints, suppressions) and 3.49 (rules). The property `security-severity` and
its bounds are those of GitHub code scanning (CVSS: high from 7.0, medium from 4.0).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Final

from tidegate.drivers.gate.strict_json import (
    Object,
    as_object,
    number_in,
    object_in,
    objects_in,
    read_json,
    text_in,
)
from tidegate.drivers.gate.submitted import CLOCK_SKEW, UnreadableError, quoted, read_time

VERSION: Final = "2.1.0"

HIGH_FROM: Final = 7.0
MEDIUM_FROM: Final = 4.0
MOST_SEVERE: Final = 10.0

_LEVELS: Final = ("none", "note", "warning", "error")
_DEFAULT_LEVEL: Final = "warning"
_KINDS: Final = frozenset({"fail", "open", "review", "pass", "informational", "notApplicable"})
_NO_FINDING: Final = frozenset({"pass", "informational", "notApplicable"})
_BASELINE_STATES: Final = frozenset({"new", "unchanged", "updated", "absent"})


class Severity(IntEnum):
    """How bad a finding is, whichever scale it was told in."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    One result that tells of a problem.

    `fingerprints` are what the tool says stays the same for the same problem; `partial` are such only
    together with `place`. `state` is how the tool compared it with an earlier scan, None when it didn't.
    """

    tool: str
    rule: str
    place: str
    severity: Severity
    state: str | None
    fingerprints: frozenset[tuple[str, str]]
    partial: frozenset[tuple[str, str]]
    is_suppressed: bool


@dataclass(slots=True)
class Scan:
    """What one log says: the tools that scanned, what they found, and the oldest end of a run."""

    tools: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    ended: datetime | None = None


def read_sarif(content: bytes, now: datetime) -> Scan:
    """
    Return what the SARIF log *content* says, seen at *now*.

    Raises:
        UnreadableError: it isn't SARIF 2.1.0, or a run in it doesn't say what was found.
    """
    log = as_object(read_json(content), "the log")
    if log.get("version") != VERSION:
        raise UnreadableError(
            f"it isn't SARIF {VERSION}: its version is {quoted(log.get('version'))}"
        )
    if log.get("inlineExternalProperties"):
        raise UnreadableError("it keeps parts of its runs outside of them")
    runs = objects_in(log, "runs")
    if not runs:
        raise UnreadableError("it holds no run of any tool")
    scan = Scan()
    for run in runs:
        _read_run(run, scan, now)
    return scan


def _read_run(run: Object, scan: Scan, now: datetime) -> None:
    tool = object_in(run, "tool")
    name = text_in(object_in(tool, "driver"), "name")
    if not name:
        raise UnreadableError("a run doesn't say which tool it is of")
    if run.get("externalPropertyFileReferences"):
        raise UnreadableError(f"{quoted(name)} keeps its results in other files")
    invocations = objects_in(run, "invocations")
    for invocation in invocations:
        _read_invocation(invocation, name, scan, now)
    if not isinstance(run.get("results"), list):
        # 3.14.23: null or nothing says that there was no scan; an empty list, that it found nothing.
        raise UnreadableError(f"{quoted(name)} doesn't say what it found: it has no results")
    rules = _Rules(tool, invocations)
    scan.tools.add(name)
    for result in objects_in(run, "results"):
        finding = _read_result(result, name, rules)
        if finding is not None:
            scan.findings.append(finding)


def _read_invocation(invocation: Object, tool: str, scan: Scan, now: datetime) -> None:
    if invocation.get("executionSuccessful") is not True:
        raise UnreadableError(f"{quoted(tool)} didn't finish its scan")
    text = text_in(invocation, "endTimeUtc") or text_in(invocation, "startTimeUtc")
    if text is None:
        return
    ended = read_time(text)
    if ended > now + CLOCK_SKEW:
        raise UnreadableError(f"{quoted(tool)} ended in the future, at {quoted(text)}")
    scan.ended = ended if scan.ended is None else min(scan.ended, ended)


def _read_result(result: Object, tool: str, rules: "_Rules") -> Finding | None:
    """Return the finding that *result* tells of; None where it tells of none."""
    kind = text_in(result, "kind") or "fail"
    if kind not in _KINDS:
        raise UnreadableError(f"a result is of the unknown kind {quoted(kind)}")
    level = _level(result)
    if kind in _NO_FINDING and level in (None, "none"):
        return None
    state = text_in(result, "baselineState")
    if state is not None and state not in _BASELINE_STATES:
        raise UnreadableError(f"a result has the unknown baseline state {quoted(state)}")
    if state == "absent":
        return None
    rule, known = rules.of(result)
    return Finding(
        tool=tool,
        rule=rule,
        place=_place(result),
        severity=_severity(level or known.level, max(_score(result), known.score)),
        state=state,
        fingerprints=_fingerprints(result, "fingerprints"),
        partial=_fingerprints(result, "partialFingerprints"),
        is_suppressed=_is_suppressed(result),
    )


def _severity(level: str, score: float) -> Severity:
    if score >= HIGH_FROM or level == "error":
        return Severity.HIGH
    if score >= MEDIUM_FROM or level == "warning":
        return Severity.MEDIUM
    return Severity.LOW


def _level(holder: Object) -> str | None:
    level = text_in(holder, "level")
    if level is not None and level not in _LEVELS:
        raise UnreadableError(f"{quoted(level)} isn't a level")
    return level


def _score(holder: Object) -> float:
    """Return the security severity that *holder* carries in its properties, 0 without one."""
    written = object_in(holder, "properties").get("security-severity", 0)
    try:
        score = float(written) if isinstance(written, str | int | float) else -1.0
    except ValueError:
        score = -1.0
    if isinstance(written, bool) or not 0 <= score <= MOST_SEVERE:
        raise UnreadableError(f"{quoted(written)} isn't a security severity")
    return score


def _place(result: Object) -> str:
    """Return the file that the finding is in, empty when it isn't told."""
    for location in objects_in(result, "locations")[:1]:
        artifact = object_in(object_in(location, "physicalLocation"), "artifactLocation")
        return text_in(artifact, "uri") or ""
    return ""


def _fingerprints(result: Object, key: str) -> frozenset[tuple[str, str]]:
    found = object_in(result, key)
    return frozenset((name, text_in(found, name) or "") for name in found)


def _is_suppressed(result: Object) -> bool:
    """
    Return whether somebody accepted the finding as it is.

    A suppression that says nothing about its review could be the author's own, so it doesn't count.
    """
    suppressions = objects_in(result, "suppressions")
    return bool(suppressions) and all(
        text_in(suppression, "status") == "accepted" for suppression in suppressions
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """What the rule of a result says of its severity."""

    level: str
    score: float


class _Rules:
    """The rules of one run, as its results refer to them."""

    def __init__(self, tool: Object, invocations: list[Object]) -> None:
        self._driver = objects_in(object_in(tool, "driver"), "rules")
        self._extensions = [
            objects_in(extension, "rules") for extension in objects_in(tool, "extensions")
        ]
        self._by_id: dict[str, list[Object]] = {}
        for rule in [*self._driver, *(one for rules in self._extensions for one in rules)]:
            self._by_id.setdefault(text_in(rule, "id") or "", []).append(rule)
        self._overrides: dict[str, list[str]] = {}
        for invocation in invocations:
            for override in objects_in(invocation, "ruleConfigurationOverrides"):
                level = _level(object_in(override, "configuration"))
                name = self._name_of(object_in(override, "descriptor"))
                if level is not None:
                    self._overrides.setdefault(name, []).append(level)

    def of(self, result: Object) -> tuple[str, _Known]:
        """Return the id of the rule of *result*, and the worst that any rule of that id says."""
        reference = {**object_in(result, "rule")}
        for key, inside in (("ruleId", "id"), ("ruleIndex", "index")):
            if key in result:
                reference.setdefault(inside, result[key])
        name = self._name_of(reference)
        rules = [rule for part in _broader(name) for rule in self._by_id.get(part, ())]
        levels = [level for part in _broader(name) for level in self._overrides.get(part, ())]
        levels += [
            _level(object_in(rule, "defaultConfiguration")) or _DEFAULT_LEVEL for rule in rules
        ]
        return name, _Known(
            level=max(levels or [_DEFAULT_LEVEL], key=_LEVELS.index),
            score=max([_score(rule) for rule in rules], default=0.0),
        )

    def _name_of(self, reference: Object) -> str:
        """Return the id that *reference* names, by itself or by a place in a list of rules."""
        name = text_in(reference, "id")
        index = number_in(reference, "index")
        if index is None or index == -1:
            return name or ""
        rules = self._list_of(reference)
        if not 0 <= index < len(rules):
            raise UnreadableError("a result names a rule that isn't there")
        listed = text_in(rules[index], "id") or ""
        if name is not None and listed not in _broader(name):
            raise UnreadableError(f"a result names two rules, {quoted(name)} and {quoted(listed)}")
        return name or listed

    def _list_of(self, reference: Object) -> list[Object]:
        component = number_in(object_in(reference, "toolComponent"), "index")
        if component is None or component == -1:
            return self._driver
        if not 0 <= component < len(self._extensions):
            raise UnreadableError("a result names an extension that isn't there")
        return self._extensions[component]


def _broader(name: str) -> Iterator[str]:
    """Yield *name* and the names above it: a rule `a/b` may stand for a result of `a/b/c`."""
    parts = name.split("/")
    for count in range(len(parts), 0, -1):
        yield "/".join(parts[:count])
