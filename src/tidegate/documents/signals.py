"""
From the health part of a file to signals with sources, tolerances and settings filled in.

Rule: what a source can't read is refused here, with the same functions that the drivers use when they
ask. A signal says nothing about components; `for_components` leaves out those that can't see what a
phase moves (Envoy knows nothing of configuration files), and the rule `gate-in-every-phase` catches
what is then left without proof.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tidegate.documents.counters import (
    DEFAULT_BAD_MATCHERS,
    DEFAULT_DURATION_METRIC,
    DEFAULT_OTLP_BAD_MATCHERS,
    DEFAULT_OTLP_METRIC,
    DEFAULT_REQUESTS_METRIC,
    OPENMETRICS,
    OTLP,
    check_labels,
    check_settings,
    prometheus_url,
)
from tidegate.documents.coverage import (
    PATH,
    AskedCoverage,
    asked_coverage,
    coverage_complaints,
)
from tidegate.documents.limits import limit_flaws, resolve_limit
from tidegate.documents.notation import shown
from tidegate.documents.problems import Complaint, KeyPath, path_text
from tidegate.documents.written import (
    CounterKeys,
    Coverage,
    Exercise,
    Health,
    Prove,
    Signal,
    Tolerances,
)
from tidegate.domain.plan.model import (
    Counting,
    ExerciseSpec,
    Limit,
    Noise,
    SignalKind,
    SignalSpec,
    Tolerance,
    ToleranceUnit,
)
from tidegate.domain.plan.rules_of_proof import UNITS
from tidegate.errors import InvalidDocumentError

ENVOY: Final = "envoy"
DRIVERS_BEHIND_ENVOY: Final = frozenset({"process"})

COUNTER_KEYS: Final = (
    "query",
    "metric",
    "bad",
    "bad_metric",
    "total_metric",
    "unit",
    "path",
    "arm_label",
    "arm_value",
    "target_label",
    "strata",
    "aggregate",
)
_READ_BY: Final[Mapping[str, str]] = {
    "query": "prometheus://HOST:PORT",
    "path": "openmetrics, or remove the key",
    "arm_label": "prometheus://HOST:PORT or otlp",
    "arm_value": "prometheus://HOST:PORT or otlp",
    "target_label": "prometheus://HOST:PORT or otlp",
}
"""Which sources read a key that not all sources with named counters do."""

_UNIT_WORDS: Final[Mapping[ToleranceUnit, tuple[str, str]]] = {
    ToleranceUnit.RATE: ("percentage points", "0.1pp"),
    ToleranceUnit.RELATIVE: ("percent", "10%"),
    ToleranceUnit.DURATION: ("milliseconds", "20ms"),
}

_NEVER_PROVEN: Final = frozenset({SignalKind.TRAFFIC, SignalKind.SATURATION})
_NO_TOLERANCE: Final = 1.0
"""Stands where a signal has no tolerance: a limit isn't compared, and fullness has no measure in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofDefaults:
    """What is demanded where nothing is written."""

    errors: float
    usage: float
    latency: float
    traffic: float
    minimum_requests: int
    alpha_halt: float = 0.01
    alpha_hold: float = 0.05
    beta: float = 0.05

    def tolerance(self, kind: SignalKind) -> Tolerance:
        """Return the default tolerance of signals of *kind*."""
        value = {
            SignalKind.ERRORS: self.errors,
            SignalKind.USAGE: self.usage,
            SignalKind.LATENCY: self.latency,
            SignalKind.TRAFFIC: self.traffic,
            SignalKind.SATURATION: _NO_TOLERANCE,
            SignalKind.LIMIT: _NO_TOLERANCE,
        }[kind]
        return Tolerance(value=value, unit=UNITS[kind][0])


PROOF: Final = ProofDefaults(
    errors=0.001, usage=0.2, latency=0.1, traffic=0.25, minimum_requests=500
)
LAB_PROOF: Final = ProofDefaults(
    errors=0.05, usage=0.5, latency=0.5, traffic=0.5, minimum_requests=50
)
"""In the lab a bake takes seconds: only coarse harm can be told from chance in so few requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedSignal:
    """
    A signal before a phase gives it its tolerance; `tolerate` is the signal's own, if written.

    `shadow` is None where nothing is written: then it is in shadow for as long as it is new.
    """

    name: str
    kind: SignalKind
    gate: bool
    tolerate: Tolerance | None
    source: str
    settings: tuple[tuple[str, str], ...]
    shadow: bool | None = None
    limit: Limit | None = None
    counting: Counting = Counting.EVENTS
    noise: Noise = Noise.INDEPENDENT

    def in_force(
        self, phase: Tolerances | None, prove: Prove | None, defaults: ProofDefaults
    ) -> SignalSpec:
        """Return the signal with its tolerance: its own, else the phase's, the file's, the default."""
        tolerance = (
            self.tolerate
            or _of_kind(phase, self.kind)
            or _of_kind(prove, self.kind)
            or defaults.tolerance(self.kind)
        )
        return SignalSpec(
            name=self.name,
            kind=self.kind,
            gate=self.gate,
            tolerance=tolerance,
            source=self.source,
            settings=self.settings,
            shadow=self.shadow is True,
            new_in_shadow=self.shadow is not False,
            limit=self.limit,
            counting=self.counting,
            noise=self.noise,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedHealth:
    """All signals and exercises of a service."""

    signals: tuple[ResolvedSignal, ...]
    exercises: tuple[ExerciseSpec, ...]
    coverage: AskedCoverage | None = None

    def for_drivers(self, drivers: Sequence[str]) -> tuple[ResolvedSignal, ...]:
        """Return the signals that can see what components with *drivers* serve."""
        behind_envoy = all(driver in DRIVERS_BEHIND_ENVOY for driver in drivers)
        return tuple(one for one in self.signals if behind_envoy or one.source != ENVOY)


def resolve_health(
    health: Health, default_source: str | None
) -> tuple[ResolvedHealth, list[Complaint]]:
    """Return what *health* asks for, and everything that can't be read as written."""
    resolver = _Resolver(health.source or default_source)
    resolver.take_default_source(written=health.source is not None)
    for index, entry in enumerate(health.signals):
        path = ("health", "signals", index)
        if isinstance(entry, str):
            resolver.take_http_pack(path)
        else:
            resolver.take_signal(entry, path)
    exercises = [
        found
        for index, exercise in enumerate(health.exercise)
        if (found := resolver.exercise(exercise, ("health", "exercise", index)))
    ]
    coverage = None if health.coverage is None else resolver.coverage(health.coverage)
    return (
        ResolvedHealth(
            signals=tuple(resolver.signals.values()),
            exercises=tuple(exercises),
            coverage=coverage,
        ),
        resolver.complaints,
    )


class _Resolver:
    """Collects signals by name, so that a written one takes the place of one from a pack."""

    def __init__(self, source: str | None) -> None:
        self.source = source
        self.signals: dict[str, ResolvedSignal] = {}
        self.complaints: list[Complaint] = []
        self._from_pack: set[str] = set()

    def refuse(self, path: KeyPath, what: str, fix: str, *, on_key: bool = False) -> None:
        self.complaints.append(Complaint(path=path, what=what, fix=fix, on_key=on_key))

    def take_default_source(self, *, written: bool) -> None:
        if self.source is None:
            self.refuse(
                ("health",),
                "`health.source` is missing, and no component stands behind Envoy",
                "add source: openmetrics, or source: prometheus://HOST:PORT",
                on_key=True,
            )
        elif written:
            self._check_source(self.source, ("health", "source"))

    def take_http_pack(self, path: KeyPath) -> None:
        source = self.source or ENVOY
        requests, bad, duration = (
            (DEFAULT_OTLP_METRIC, DEFAULT_OTLP_BAD_MATCHERS, DEFAULT_OTLP_METRIC)
            if source == OTLP
            else (DEFAULT_REQUESTS_METRIC, DEFAULT_BAD_MATCHERS, DEFAULT_DURATION_METRIC)
        )
        by_name: tuple[tuple[str, SignalKind, dict[str, str]], ...] = (
            ("errors", SignalKind.ERRORS, {"metric": requests, "bad": bad}),
            ("latency", SignalKind.LATENCY, {"metric": duration}),
        )
        for name, kind, settings in by_name:
            if name in self.signals:
                continue  # a signal that was written out comes before the pack's
            self._from_pack.add(name)
            self.signals[name] = ResolvedSignal(
                name=name,
                kind=kind,
                gate=kind is SignalKind.ERRORS,
                tolerate=None,
                source=source,
                settings=() if source == ENVOY else tuple(sorted(settings.items())),
            )

    def take_signal(self, signal: Signal, path: KeyPath) -> None:
        if signal.name in self.signals and signal.name not in self._from_pack:
            self.refuse((*path, "name"), f"the signal {signal.name} stands twice", "rename one")
            return
        self._from_pack.discard(signal.name)
        kind = SignalKind(signal.kind)
        self._check_tolerance(signal, kind, path)
        self._check_counting(signal, kind, path)
        for key, what, fix in limit_flaws(
            is_limit=kind is SignalKind.LIMIT,
            has_limit=signal.limit is not None,
            has_effect=signal.on_breach is not None,
            tolerates=signal.tolerate is not None,
            gates=signal.gate is True,
        ):
            self.refuse((*path, key), what, fix, on_key=key != "kind")
        gate = _gates_by_default(kind) if signal.gate is None else signal.gate
        if gate and kind in _NEVER_PROVEN:
            self.refuse(
                (*path, "gate"),
                f"signals of kind {kind.value} can hold and halt, they prove nothing",
                "remove gate",
                on_key=True,
            )
        if signal.shadow and gate:
            self.refuse(
                (*path, "shadow"),
                f"the gate signal {signal.name} can't be in shadow: its phases would prove nothing",
                "add gate: false, or remove shadow",
                on_key=True,
            )
        source, settings = self._read(signal, kind, path)
        if kind is SignalKind.SATURATION and source == ENVOY:
            self.refuse(
                path,
                f"{path_text(path)}: Envoy doesn't know how full a member is",
                "give it a source: openmetrics or otlp with metric: NAME, or a Prometheus with query",
            )
        if kind is SignalKind.LIMIT and source == ENVOY:
            self.refuse(
                path,
                f"{path_text(path)}: Envoy gives no number to hold against a limit",
                "give it a source: openmetrics or otlp with metric: NAME, or a Prometheus with query",
            )
        self.signals[signal.name] = ResolvedSignal(
            name=signal.name,
            kind=kind,
            gate=gate,
            tolerate=signal.tolerate,
            source=source,
            settings=settings,
            shadow=signal.shadow,
            limit=resolve_limit(signal.limit, signal.on_breach),
            counting=Counting.USERS if signal.count == "users" else Counting.EVENTS,
            noise=Noise.CLUSTERED if signal.noise == "clustered" else Noise.INDEPENDENT,
        )

    def _check_tolerance(self, signal: Signal, kind: SignalKind, path: KeyPath) -> None:
        units = UNITS[kind]
        if signal.tolerate is None or signal.tolerate.unit in units:
            return
        words = " or ".join(_UNIT_WORDS[unit][0] for unit in units)
        examples = " or ".join(_UNIT_WORDS[unit][1] for unit in units)
        self.refuse(
            (*path, "tolerate"),
            f"signals of kind {kind.value} are tolerated in {words}, not in "
            f"{_UNIT_WORDS[signal.tolerate.unit][0]}",
            f"write it like {examples}",
        )

    def _check_counting(self, signal: Signal, kind: SignalKind, path: KeyPath) -> None:
        """Refuse ways of counting that the kind doesn't have, or the source can't serve."""
        for key, written in (("count", signal.count), ("noise", signal.noise)):
            if written is not None and kind is not SignalKind.ERRORS:
                self.refuse(
                    (*path, key),
                    f"`{key}` means nothing to signals of kind {kind.value}, only to errors",
                    "remove it",
                    on_key=True,
                )
                return
        source = signal.source or self.source or ENVOY
        if signal.count == "users" and source != ENVOY and not _names_counters(signal):
            self.refuse(
                (*path, "count"),
                "which counters count users isn't said, and the default ones count requests",
                "add bad_metric and total_metric: counters of affected users and of all users",
            )
        if signal.noise == "clustered" and source == ENVOY:
            self.refuse(
                (*path, "noise"),
                "Envoy counts a whole version, so the baseline's members can't measure the noise",
                "write count: users instead, or take a source that counts each member",
            )

    def exercise(self, exercise: Exercise, path: KeyPath) -> ExerciseSpec | None:
        # An exercise counts events of the candidate, which is what a usage signal reads.
        source, settings = self._read(exercise, SignalKind.USAGE, path)
        if source == ENVOY:
            self.refuse(
                path,
                f"{path_text(path)}: Envoy can't tell one kind of call from another",
                "give it a source: openmetrics with metric: NAME, or a Prometheus with query",
            )
            return None
        return ExerciseSpec(
            name=exercise.name, minimum_count=exercise.min, source=source, settings=settings
        )

    def coverage(self, written: Coverage) -> AskedCoverage:
        # All requests of both arms, told apart by labels: what a traffic signal reads.
        source, settings = self._read(written, SignalKind.TRAFFIC, PATH)
        self.complaints.extend(coverage_complaints(written))
        if source == ENVOY:
            self.refuse(
                PATH,
                f"{path_text(PATH)}: Envoy can't tell one kind of use from another",
                "give it a source: openmetrics or otlp with metric: NAME, or a Prometheus with query",
            )
        else:
            self._check_labels(source, written.by)
        return asked_coverage(written, source, settings)

    def _check_labels(self, source: str, labels: Sequence[str]) -> None:
        try:
            check_labels(source, labels)
        except InvalidDocumentError as exc:
            self.refuse((*PATH, "by"), f"{path_text((*PATH, 'by'))}: {exc.message}", exc.hint)

    def _read(
        self, keys: CounterKeys, kind: SignalKind, path: KeyPath
    ) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Return the source and settings of *keys*, after complaining of what can't be read."""
        source = keys.source or self.source or ENVOY
        written = {
            key: getattr(keys, key) for key in COUNTER_KEYS if getattr(keys, key) is not None
        }
        settings = {key: str(value) for key, value in written.items()}
        if keys.source is not None and not self._check_source(source, (*path, "source")):
            return source, ()
        self._check_keys(source, settings, path)
        if source != ENVOY:
            self._check_counters(source, kind, settings, path)
        return source, tuple(sorted(settings.items()))

    def _check_source(self, source: str, path: KeyPath) -> bool:
        if source in (ENVOY, OPENMETRICS, OTLP):
            return True
        if not source.startswith(("prometheus://", "prometheus+https://")):
            self.refuse(
                path,
                f"{path_text(path)}: there is no source {shown(source)}",
                "take envoy, openmetrics, otlp, or prometheus://HOST:PORT",
            )
            return False
        try:
            prometheus_url(source)
        except InvalidDocumentError as exc:
            self.refuse(path, f"{path_text(path)}: {exc.message}", exc.hint)
            return False
        return True

    def _check_keys(self, source: str, settings: Mapping[str, str], path: KeyPath) -> None:
        name = source if source in (ENVOY, OPENMETRICS, OTLP) else "prometheus"
        for key in COUNTER_KEYS:
            readers = _READ_BY.get(key, "openmetrics, or remove the key")
            fits = name != ENVOY and (key not in _READ_BY or name in readers)
            if key in settings and not fits:
                self.refuse(
                    (*path, key),
                    f"{path_text((*path, key))} means nothing to source {shown(source)}",
                    f"give the signal a source that reads it: {readers}",
                    on_key=True,
                )

    def _check_counters(
        self, source: str, kind: SignalKind, settings: Mapping[str, str], path: KeyPath
    ) -> None:
        if source in (OPENMETRICS, OTLP) and "query" in settings:
            return  # told already by `_check_keys`
        at = next((key for key in ("query", "metric", "bad_metric", "bad") if key in settings), "")
        try:
            check_settings(source, kind, settings)
        except InvalidDocumentError as exc:
            where = (*path, at) if at else path
            self.refuse(where, f"{path_text(where)}: {exc.message}", exc.hint)


def _of_kind(tolerances: Tolerances | None, kind: SignalKind) -> Tolerance | None:
    if tolerances is None:
        return None
    return {
        SignalKind.ERRORS: tolerances.errors,
        SignalKind.USAGE: tolerances.usage,
        SignalKind.LATENCY: tolerances.latency,
    }.get(kind)


def _names_counters(signal: Signal) -> bool:
    return any((signal.query, signal.metric, signal.bad_metric))


def _gates_by_default(kind: SignalKind) -> bool:
    return kind in (SignalKind.ERRORS, SignalKind.USAGE)
