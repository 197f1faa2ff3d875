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
    DEFAULT_REQUESTS_METRIC,
    openmetrics_counters,
    prometheus_counters,
    prometheus_url,
)
from tidegate.documents.notation import shown
from tidegate.documents.problems import Complaint, KeyPath, path_text
from tidegate.documents.written import (
    CounterKeys,
    Exercise,
    Health,
    Prove,
    Signal,
    Tolerances,
)
from tidegate.domain.plan.model import (
    ExerciseSpec,
    SignalKind,
    SignalSpec,
    Tolerance,
    ToleranceUnit,
)
from tidegate.errors import InvalidDocumentError

ENVOY: Final = "envoy"
OPENMETRICS: Final = "openmetrics"
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
)
_ONLY_PROMETHEUS: Final = ("query", "arm_label", "arm_value", "target_label")
_ONLY_OPENMETRICS: Final = ("path",)

_UNITS: Final[Mapping[SignalKind, ToleranceUnit]] = {
    SignalKind.ERRORS: ToleranceUnit.RATE,
    SignalKind.USAGE: ToleranceUnit.RELATIVE,
    SignalKind.LATENCY: ToleranceUnit.RELATIVE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofDefaults:
    """What is demanded where nothing is written."""

    errors: float
    usage: float
    latency: float
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
        }[kind]
        return Tolerance(value=value, unit=_UNITS[kind])


PROOF: Final = ProofDefaults(errors=0.001, usage=0.2, latency=0.1, minimum_requests=500)
LAB_PROOF: Final = ProofDefaults(errors=0.05, usage=0.5, latency=0.5, minimum_requests=50)
"""In the lab a bake takes seconds: only coarse harm can be told from chance in so few requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedSignal:
    """A signal before a phase gives it its tolerance; `tolerate` is the signal's own, if written."""

    name: str
    kind: SignalKind
    gate: bool
    tolerate: Tolerance | None
    source: str
    settings: tuple[tuple[str, str], ...]

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
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedHealth:
    """All signals and exercises of a service."""

    signals: tuple[ResolvedSignal, ...]
    exercises: tuple[ExerciseSpec, ...]

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
    return (
        ResolvedHealth(signals=tuple(resolver.signals.values()), exercises=tuple(exercises)),
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
        by_name: tuple[tuple[str, SignalKind, dict[str, str]], ...] = (
            (
                "errors",
                SignalKind.ERRORS,
                {"metric": DEFAULT_REQUESTS_METRIC, "bad": DEFAULT_BAD_MATCHERS},
            ),
            ("latency", SignalKind.LATENCY, {"metric": DEFAULT_DURATION_METRIC}),
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
        if signal.tolerate is not None and signal.tolerate.unit is not _UNITS[kind]:
            units = ("percentage points", "percent", "0.1pp")
            if kind is not SignalKind.ERRORS:
                units = ("percent", "percentage points", "10%")
            self.refuse(
                (*path, "tolerate"),
                f"signals of kind {kind.value} are tolerated in {units[0]}, not in {units[1]}",
                f"write it like {units[2]}",
            )
        source, settings = self._read(signal, kind, path)
        self.signals[signal.name] = ResolvedSignal(
            name=signal.name,
            kind=kind,
            gate=kind is not SignalKind.LATENCY if signal.gate is None else signal.gate,
            tolerate=signal.tolerate,
            source=source,
            settings=settings,
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
        if source in (ENVOY, OPENMETRICS):
            return True
        if not source.startswith(("prometheus://", "prometheus+https://")):
            self.refuse(
                path,
                f"{path_text(path)}: there is no source {shown(source)}",
                "take envoy, openmetrics, or prometheus://HOST:PORT",
            )
            return False
        try:
            prometheus_url(source)
        except InvalidDocumentError as exc:
            self.refuse(path, f"{path_text(path)}: {exc.message}", exc.hint)
            return False
        return True

    def _check_keys(self, source: str, settings: Mapping[str, str], path: KeyPath) -> None:
        unfit: tuple[str, ...] = ()
        if source == ENVOY:
            unfit = COUNTER_KEYS
        elif source == OPENMETRICS:
            unfit = _ONLY_PROMETHEUS
        else:
            unfit = _ONLY_OPENMETRICS
        for key in unfit:
            if key in settings:
                self.refuse(
                    (*path, key),
                    f"{path_text((*path, key))} means nothing to source {shown(source)}",
                    "give the signal a source that reads it: "
                    + (
                        "prometheus://HOST:PORT"
                        if key in _ONLY_PROMETHEUS
                        else "openmetrics, or remove the key"
                    ),
                    on_key=True,
                )

    def _check_counters(
        self, source: str, kind: SignalKind, settings: Mapping[str, str], path: KeyPath
    ) -> None:
        check = openmetrics_counters if source == OPENMETRICS else prometheus_counters
        if source == OPENMETRICS and "query" in settings:
            return  # told already by `_check_keys`
        at = next((key for key in ("query", "metric", "bad_metric", "bad") if key in settings), "")
        try:
            check(kind, settings)
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
    }[kind]
