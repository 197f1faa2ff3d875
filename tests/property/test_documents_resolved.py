"""The resolved document reads back exactly, for any service and not only for those in examples."""

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from tidegate.documents.canonical import canonical_json
from tidegate.documents.gate_kinds import GATE_KINDS
from tidegate.documents.gates import settings_json
from tidegate.documents.notation import format_share, parse_any_share, parse_long_duration
from tidegate.documents.resolved import from_document, to_document
from tidegate.domain.calendar.windows import (
    DayHours,
    ExceptionBudget,
    Holidays,
    Recurrence,
    Window,
)
from tidegate.domain.durations import format_duration
from tidegate.domain.gates.model import GateMoment, GateSpec
from tidegate.domain.plan.model import (
    AlertPolicy,
    ComponentSpec,
    Counting,
    CoverageSpec,
    Dependency,
    Effect,
    ErrorBudget,
    ExerciseSpec,
    HealthModel,
    HealthNode,
    Impact,
    Limit,
    Move,
    Noise,
    Phase,
    Plan,
    Recovery,
    ServiceSpec,
    SignalKind,
    SignalSpec,
    TargetSpec,
    Tolerance,
    ToleranceUnit,
)
from tidegate.domain.quantities import (
    ComponentName,
    Environment,
    Exposure,
    Placement,
    ServiceName,
    TargetName,
)

Item = TypeVar("Item")
SERVICE = ServiceName("shop")
PROCESS = canonical_json(
    {
        "driver": "process",
        "package": "shop",
        "command": None,
        "run": "shop {port}",
        "members": 2,
        "files": [],
        "env": {"A": "é"},
        "probe": {"http": "/", "every_seconds": 0.25},
        "drain_seconds": 10,
        "pools": "canary",
        "traffic": {
            "driver": "envoy",
            "listen": "127.0.0.1:80",
            "sticky": "cookie:tg",
            "internal": None,
        },
    }
)

names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
durations = st.integers(0, 3 * 366 * 86_400_000).map(lambda ms: timedelta(milliseconds=ms))
chances = st.floats(0, 1, exclude_min=True, exclude_max=True)
settings = st.dictionaries(names, words, max_size=3).map(lambda pairs: tuple(sorted(pairs.items())))

signals = st.builds(
    SignalSpec,
    name=names,
    kind=st.sampled_from(SignalKind),
    gate=st.booleans(),
    tolerance=st.builds(
        Tolerance,
        value=st.floats(1e-9, 10),
        unit=st.sampled_from(ToleranceUnit),
    ),
    source=words,
    settings=settings,
    new_in_shadow=st.booleans(),
    counting=st.sampled_from(Counting),
    noise=st.sampled_from(Noise),
    limit=st.none()
    | st.builds(
        Limit,
        value=st.floats(-1e9, 1e9),
        above=st.booleans(),
        effect=st.sampled_from(Effect),
    ),
)
exercises = st.builds(
    ExerciseSpec,
    name=names,
    minimum_count=st.integers(1, 10**9),
    source=words,
    settings=settings,
)
moves = st.builds(
    Move,
    placement=st.builds(
        Placement,
        service=st.just(SERVICE),
        component=names.map(ComponentName),
        target=names.map(TargetName),
    ),
    exposure=st.builds(Exposure, internal=st.booleans(), weight_bps=st.integers(0, 10_000)),
)


def _tuples(items: st.SearchStrategy[Item]) -> st.SearchStrategy[tuple[Item, ...]]:
    return st.lists(items, max_size=3).map(tuple)


alerts = st.builds(
    AlertPolicy,
    match=settings,
    page=st.sampled_from(Effect),
    ticket=st.sampled_from(Effect),
)
shares = st.integers(1, 10_000).map(lambda bps: bps / 10_000)
coverages = st.builds(
    CoverageSpec,
    by=st.lists(words, min_size=1, max_size=8).map(tuple),
    smallest_cell=shares,
    smallest_failure=shares,
    share=shares,
    unseen=shares,
    busy_hours=st.integers(0, 24),
    timezone_label=st.none() | words,
    source=words,
    settings=settings,
)

nodes = st.builds(
    HealthNode,
    name=names,
    signals=_tuples(names),
    needs=_tuples(st.builds(Dependency, node=names, impact=st.sampled_from(Impact))),
)
minutes = st.integers(0, 24 * 60 - 1)
spans = st.tuples(st.integers(0, 6), minutes, minutes.filter(bool)).map(
    lambda one: DayHours(
        weekday=one[0],
        begins=timedelta(minutes=one[1]),
        ends=timedelta(minutes=one[1] + one[2]),
    )
)
whole_days = st.integers(0, 6).map(
    lambda day: DayHours(weekday=day, begins=timedelta(0), ends=timedelta(days=1))
)
holidays = st.builds(
    Holidays,
    country=st.sampled_from(["", "DE", "US"]),
    dates=st.lists(st.dates(date(2000, 1, 1), date(2099, 12, 31)), max_size=3).map(tuple),
)
weekly = st.lists(spans | whole_days, min_size=1, max_size=6).map(
    lambda found: tuple(sorted(found, key=lambda one: one.weekday))
)
working_days = st.builds(Window, hours=weekly, holidays=holidays)
windows = st.builds(
    Window,
    hours=weekly,
    holidays=holidays,
    production_only=st.booleans(),
) | st.builds(
    Window,
    recurrence=st.builds(
        Recurrence,
        rule=st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=TU,TH;BYHOUR=10"]),
        starting=st.just("2026-01-05T09:00"),
        lasts=st.integers(1, 7 * 86_400).map(lambda seconds: timedelta(seconds=seconds)),
    ),
    holidays=holidays,
)
phases = st.builds(
    Phase,
    name=words,
    ring=names,
    moves=_tuples(moves),
    bake=durations,
    bake_max=durations,
    minimum_requests=st.integers(0, 10**9),
    approvals=st.integers(0, 9),
    approvers=st.text(max_size=5),
    signals=_tuples(signals),
    exercises=_tuples(exercises),
    coverage=st.none() | coverages,
    window=st.none() | windows,
    working_day=st.none() | working_days,
)
gates = st.lists(
    st.builds(
        GateSpec,
        name=names,
        kind=st.sampled_from(
            sorted(name for name, kind in GATE_KINDS.items() if kind.stands_alone)
        ),
        moment=st.sampled_from(GateMoment),
        settings_json=st.just(""),
        lasts=durations,
        phases=_tuples(names),
    ),
    max_size=3,
    unique_by=lambda gate: gate.name,
).map(
    lambda found: tuple(
        replace(gate, settings_json=settings_json(GATE_KINDS[gate.kind].settings()))
        for gate in found
    )
)
gates = st.lists(
    st.builds(
        GateSpec,
        name=names,
        kind=st.sampled_from(
            sorted(name for name, kind in GATE_KINDS.items() if kind.stands_alone)
        ),
        moment=st.sampled_from(GateMoment),
        settings_json=st.just(""),
        lasts=durations,
        phases=_tuples(names),
    ),
    max_size=3,
    unique_by=lambda gate: gate.name,
).map(
    lambda found: tuple(
        replace(gate, settings_json=settings_json(GATE_KINDS[gate.kind].settings()))
        for gate in found
    )
)
services = st.builds(
    ServiceSpec,
    name=st.just(SERVICE),
    owner=words,
    tier=st.sampled_from([1, 2, 3]),
    components=_tuples(
        st.builds(
            ComponentSpec,
            name=names.map(ComponentName),
            kind=st.just("code"),
            driver=st.just("process"),
            settings_json=st.just(PROCESS),
            after=_tuples(names.map(ComponentName)),
        )
    ),
    targets=_tuples(
        st.builds(
            TargetSpec,
            name=names.map(TargetName),
            ring=names,
            environment=st.sampled_from(Environment),
            settings_json=st.sampled_from(["{}", '{"listen":"127.0.0.1:81","region":"eu"}']),
        )
    ),
    plan=st.builds(
        Plan,
        name=names,
        phases=_tuples(phases),
        budget=st.builds(ErrorBudget, alpha_halt=chances, alpha_hold=chances, beta=chances),
        recovery=st.sampled_from(Recovery),
        tick=durations,
        stale_after=durations,
        no_data_halt_after=durations,
        apply_within=durations,
        quarantine=durations,
        warm_up=durations,
        gates=gates,
        health=st.builds(HealthModel, nodes=_tuples(nodes)),
        alerts=alerts,
        exceptions=st.builds(ExceptionBudget, count=st.integers(0, 100), per=durations),
    ),
)


@given(services)
def test_a_resolved_document_reads_back_exactly(spec: ServiceSpec) -> None:
    """What the server runs is what was resolved, to the last digit."""
    text = canonical_json(to_document(spec))

    again = from_document(json.loads(text))

    assert again == spec
    assert canonical_json(to_document(again)) == text


@given(durations)
def test_durations_are_written_as_they_are_read(duration: timedelta) -> None:
    """What is shown is exact."""
    assert parse_long_duration(format_duration(duration)) == duration


@given(st.integers(0, 10_000))
def test_shares_are_written_as_they_are_read(weight_bps: int) -> None:
    """Every weight there is can be shown and read."""
    assert parse_any_share(format_share(weight_bps)) == weight_bps
