"""
What Prometheus answered to one arm's request: its lines, gathered by process and group.

Rule: an answer is believed as a whole or not at all. One that is partial (the server warns), that is
about another arm than was asked for, or that holds a line twice, tells of nobody. Values are passed on
as they are, NaN too.

Follows the HTTP API v1 (https://prometheus.io/docs/prometheus/latest/querying/api/).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tidegate.drivers.signals.exponential import ExponentialHistogram, of_prometheus
from tidegate.drivers.signals.histograms import bound_ms
from tidegate.drivers.signals.promql_request import (
    PART_BAD,
    PART_GAUGE,
    PART_LABEL,
    PART_TELLING,
    PART_TOTAL,
    PROCESS_LABELS,
    ArmRequest,
)
from tidegate.ports.signals import group_name

Value = float | ExponentialHistogram
Lines = list[tuple[dict[str, str], Value]]
Key = TypeVar("Key")


@dataclass(slots=True, kw_only=True)
class Process:
    """What was answered for one process (and group). `total` is by bucket for `le`, else under infinity."""

    group: str = ""
    total: dict[float, float] = field(default_factory=dict)
    native: ExponentialHistogram | None = None
    bad: float | None = None
    telling: bool = False
    gauge: float | None = None
    times: dict[str, float] = field(default_factory=dict)

    @property
    def time(self) -> float:
        """Return when the oldest part was measured, in Unix seconds; NaN when no part says."""
        return min(self.times.values(), default=math.nan)

    @property
    def is_classic(self) -> bool:
        """Whether its counts are whole: there is one of everything."""
        return math.inf in self.total


def lines_of(document: Any) -> Lines | None:
    """Return the labels and value of each line of an instant vector, None when it isn't a whole one."""
    if not isinstance(document, dict) or document.get("status") != "success":
        return None
    data = document.get("data")
    # A warning means that a store behind the server didn't answer: the counts lack its part.
    if document.get("warnings") or not isinstance(data, dict):
        return None
    result = data.get("result")
    if data.get("resultType") != "vector" or not isinstance(result, list):
        return None
    lines: Lines = []
    seen: set[tuple[tuple[str, str], ...]] = set()
    for entry in result:
        read = _line(entry)
        if read is None:
            return None
        labels, value = read
        identity = tuple(sorted(labels.items()))
        if identity in seen:
            return None
        seen.add(identity)
        lines.append((labels, value))
    return lines


def processes_of(
    request: ArmRequest, lines: Lines, *, unit_ms: float, groups: tuple[str, ...]
) -> dict[str, Process]:
    """Return the processes that *lines* tell of, by name; none when a line isn't what was asked for."""
    found: dict[str, Process] = {}
    for labels, value in lines:
        if any(labels.get(name) != wanted for name, wanted in request.expected.items()):
            return {}
        group = group_name([labels.get(name, "") for name in groups])
        process = found.setdefault(_series(labels, group), Process(group=group))
        if not _take(process, labels, value, request, unit_ms):
            return {}
    if any(process.bad is not None and not process.total for process in found.values()):
        # Bad requests counted by others than all requests: leaving them out would hide harm.
        return {}
    return {
        name: process
        for name, process in found.items()
        if (process.is_classic or process.native is not None or process.gauge is not None)
        and all(math.isfinite(process.times.get(part, math.nan)) for part in request.times)
    }


def _line(entry: Any) -> tuple[dict[str, str], Value] | None:
    value: Value | None
    match entry:
        case {"metric": dict(labels), "value": [_, str(text)]}:
            try:
                value = float(text)
            except ValueError:
                return None
        case {"metric": dict(labels), "histogram": [_, dict(shown)]}:
            value = of_prometheus(shown)
        case _:
            return None
    if value is None:
        return None
    return {str(name): str(text) for name, text in labels.items()}, value


def _take(
    process: Process, labels: Mapping[str, str], value: Value, request: ArmRequest, unit_ms: float
) -> bool:
    """Put one line into *process*; return whether it could be a part of the answer."""
    part = labels.get(PART_LABEL)
    if isinstance(value, ExponentialHistogram):
        if part is not None or not request.native or process.native is not None:
            return False
        process.native = value
        return True
    # Each part stands once: two lines for one process are told apart by something nobody asked for.
    match part:
        case str() if part == PART_TOTAL:
            try:
                bound = bound_ms(labels["le"], unit_ms) if "le" in labels else math.inf
            except ValueError:
                return False
            return _is_first(process.total, bound, value)
        case str() if part == PART_BAD and process.bad is None:
            process.bad = value
        case str() if part == PART_TELLING:
            process.telling = value > 0
        case str() if part == PART_GAUGE and process.gauge is None:
            process.gauge = value
        case str() if part in request.times:
            return _is_first(process.times, part, value)
        case None if request.native:
            pass  # a summary's quantiles have the name that a native histogram would have
        case _:
            return False
    return True


def _is_first(values: dict[Key, float], key: Key, value: float) -> bool:
    """Put *value* under *key*; return whether nothing was there."""
    is_first = key not in values
    values[key] = value
    return is_first


def _series(labels: Mapping[str, str], group: str) -> str:
    process = "/".join(labels.get(name, "") for name in PROCESS_LABELS)
    return f"{process} [{group}]" if group else process
