"""From the text of `tidegate.yaml` to the resolved service: forms, defaults and round trip."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tidegate.documents.service_file import (
    ResolvedService,
    from_canonical,
    load_service,
    read_service,
)
from tidegate.domain.plan.findings import Severity
from tidegate.domain.plan.model import Phase, Recovery, SignalKind, SignalSpec, ToleranceUnit
from tidegate.domain.quantities import Environment
from tidegate.errors import InvalidDocumentError

GOOD = Path(__file__).parent / "good"
BASE_DIR = Path("/srv/shop")


def _read(name: str) -> ResolvedService:
    return load_service(GOOD / f"{name}.yaml")


def _read_text(text: str) -> ResolvedService:
    return read_service(text, file="tidegate.yaml", base_dir=BASE_DIR)


def _eleven(*changes: tuple[str, str], more: str = "") -> str:
    text = (GOOD / "eleven-lines.yaml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text + more


def _shown(phases: tuple[Phase, ...]) -> list[tuple[str, str, timedelta]]:
    return [(phase.name, phase.ring, phase.bake) for phase in phases]


def _signal(phase: Phase, name: str) -> SignalSpec:
    return next(signal for signal in phase.signals if signal.name == name)


def _hours(number: int) -> timedelta:
    return timedelta(hours=number)


def test_eleven_lines_are_enough() -> None:
    """Everything that the short file leaves out has the documented default (4.2)."""
    spec = _read("eleven-lines").spec

    assert (spec.name, spec.owner, spec.tier) == ("checkout", "team-payments", 2)
    assert _shown(spec.plan.phases) == [
        ("first-1%", "first", _hours(4)),
        ("first-10%", "first", _hours(8)),
        ("first-25%", "first", _hours(8)),
        ("first-100%", "first", _hours(24)),
    ]
    assert spec.plan.name == "standard"
    assert spec.plan.recovery is Recovery.ROLLBACK
    assert spec.plan.tick == timedelta(seconds=10)
    assert spec.plan.stale_after == timedelta(seconds=30)
    assert spec.plan.no_data_halt_after == _hours(2)
    assert spec.plan.quarantine == _hours(24)
    assert spec.plan.phases[0].bake_max == _hours(12)
    assert spec.plan.phases[0].minimum_requests == 500
    assert (spec.plan.budget.alpha_halt, spec.plan.budget.alpha_hold) == (0.01, 0.05)
    assert spec.plan.budget.beta == 0.05
    assert spec.targets[0].environment is Environment.PRODUCTION


def test_the_http_pack_is_errors_as_gate_and_latency_beside_it() -> None:
    """Latency may hold or halt; it certifies only where that is asked for."""
    phase = _read("eleven-lines").spec.plan.phases[0]

    errors, latency = phase.signals
    assert (errors.name, errors.kind, errors.gate) == ("errors", SignalKind.ERRORS, True)
    assert (errors.tolerance.value, errors.tolerance.unit) == (0.001, ToleranceUnit.RATE)
    assert (latency.name, latency.kind, latency.gate) == ("latency", SignalKind.LATENCY, False)
    assert latency.tolerance.value == 0.1
    assert errors.source == latency.source == "envoy"


def test_a_missing_usage_signal_is_a_warning_with_its_place() -> None:
    """The service may start, and everyone is told what can't be seen."""
    findings = _read("eleven-lines").findings

    assert [finding.rule for finding in findings] == ["usage-signal-present"]
    assert findings[0].severity is Severity.WARNING
    assert findings[0].place.endswith("eleven-lines.yaml:11:25")


def test_drivers_get_every_key_with_null_where_nothing_is_written() -> None:
    """A driver never has to know a default."""
    component = _read("eleven-lines").spec.components[0]

    assert (component.name, component.kind, component.driver) == ("code", "code", "process")
    assert json.loads(component.settings_json) == {
        "driver": "process",
        "package": "checkout",
        "command": None,
        "run": "checkout-server --port {port}",
        "members": 2,
        "files": [],
        "env": {},
        "probe": {"http": "/healthz", "every_seconds": 1},
        "drain_seconds": 10,
        "pools": "canary",
        "traffic": {
            "driver": "envoy",
            "listen": "127.0.0.1:8080",
            "sticky": "cookie:tg",
            "internal": None,
        },
    }


def test_a_bare_target_has_no_settings() -> None:
    """Drivers read `{}` as a place that Tidegate manages itself."""
    assert _read("eleven-lines").spec.targets[0].settings_json == "{}"


def test_tier_three_has_the_plan_quick() -> None:
    """Less critical services are still phased, never in zero phases."""
    plan = _read_text(_eleven(("version: 1", "version: 1\ntier: 3"))).spec.plan

    assert plan.name == "quick"
    assert _shown(plan.phases) == [
        ("first-5%", "first", _hours(1)),
        ("first-25%", "first", _hours(2)),
        ("first-100%", "first", _hours(4)),
    ]


def test_further_targets_follow_one_at_a_time() -> None:
    """The first target proves the version; the rest are one ring with a longer bake."""
    targets = (
        '[eu-1, {name: us-1, settings: {listen: "127.0.0.1:8081"}}, '
        '{name: ap-1, settings: {listen: "127.0.0.1:8082"}}]'
    )

    phases = _read_text(_eleven(("[eu-1]", targets))).spec.plan.phases

    assert _shown(phases[4:]) == [
        ("rest-us-1", "rest", _hours(36)),
        ("rest-ap-1", "rest", _hours(36)),
    ]


def test_staging_comes_before_all_others_wherever_it_stands() -> None:
    """The default plans begin where no user is."""
    targets = '[eu-1, {name: stage, ring: staging, settings: {listen: "127.0.0.1:8081"}}]'

    phases = _read_text(_eleven(("[eu-1]", targets))).spec.plan.phases

    assert _shown(phases)[:2] == [
        ("staging", "staging", _hours(1)),
        ("first-1%", "first", _hours(4)),
    ]


@pytest.mark.parametrize("tier", [1, 2, 3])
@pytest.mark.parametrize("internal", ["", ', internal: "header:x-staff=1"'])
@pytest.mark.parametrize(
    "rings",
    [
        ["first"],
        ["first", "rest"],
        ["first", "rest", "staging", "rest"],
        ["internal", "staging", "first", "rest"],
        ["one", "two", "two", "three", "four"],
    ],
    ids="-".join,
)
def test_default_plans_keep_every_rule(tier: int, internal: str, rings: list[str]) -> None:
    """Whoever writes no plan gets one that the rules allow, for any list of targets."""
    targets = ", ".join(
        f'{{name: t{index}, ring: {ring}, settings: {{listen: "127.0.0.1:{9000 + index}"}}}}'
        for index, ring in enumerate(rings)
    )
    text = _eleven(
        ("version: 1", f"version: 1\ntier: {tier}"),
        ('listen: "127.0.0.1:8080"', f'listen: "127.0.0.1:8080"{internal}'),
        ("[eu-1]", f"[{targets}]"),
    )

    resolved = _read_text(text)

    assert {finding.rule for finding in resolved.findings} <= {"usage-signal-present"}


def test_internal_users_come_first_where_they_are_known() -> None:
    """Staff meet the candidate before anyone else, and keep it from then on."""
    plan = _read("lab").spec.plan

    first, second = plan.phases[:2]
    assert first.name == "internal-users"
    assert [str(move.exposure) for move in first.moves] == ["internal only"]
    assert first.minimum_requests == 0
    assert second.moves[0].exposure.internal
    assert second.moves[0].exposure.weight_bps == 500


def test_lab_targets_have_a_plan_of_seconds() -> None:
    """The lab shows in a minute what takes days in production."""
    plan = _read("lab").spec.plan

    assert _shown(plan.phases)[1:] == [
        ("first-5%", "first", timedelta(seconds=8)),
        ("first-25%", "first", timedelta(seconds=10)),
        ("first-50%", "first", timedelta(seconds=12)),
        ("first-100%", "first", timedelta(seconds=15)),
    ]
    assert plan.tick == timedelta(seconds=1)
    assert plan.stale_after == timedelta(seconds=5)
    assert plan.no_data_halt_after == timedelta(seconds=10)
    assert plan.apply_within == timedelta(seconds=20)
    assert plan.quarantine == timedelta(seconds=10)
    assert _signal(plan.phases[0], "errors").tolerance.value == 0.05
    assert _signal(plan.phases[0], "orders").tolerance.value == 0.5


def test_lab_targets_without_a_word_get_the_lab_s_plan() -> None:
    """Nobody waits for hours because the line `plan: lab` is missing."""
    text = (GOOD / "lab.yaml").read_text(encoding="utf-8").replace("plan: lab\n", "")

    assert _read_text(text).spec.plan.name == "lab"


def test_files_stand_in_the_folder_of_the_document() -> None:
    """The service is the same, wherever the server was started."""
    settings = json.loads(_read("lab").spec.components[0].settings_json)

    assert settings["files"] == [str(GOOD / "shop.py")]
    assert settings["command"][:2] == ["python3", str(GOOD / "shop.py")]


def test_a_plan_in_full_is_expanded() -> None:
    """Lists of shares and rings taken one at a time become phases with their own bakes."""
    plan = _read("three-rings").spec.plan

    assert plan.name == "main"
    assert _shown(plan.phases) == [
        ("staging", "staging", timedelta(minutes=30)),
        ("canary", "one", _hours(4)),
        ("one-25%", "one", _hours(8)),
        ("one-100%", "one", _hours(8)),
        ("two-eu-2", "two", _hours(24)),
        ("two-us-1", "two", _hours(24)),
    ]
    assert plan.recovery is Recovery.HOLD
    assert plan.tick == timedelta(seconds=20)
    assert plan.stale_after == timedelta(seconds=150)
    assert plan.no_data_halt_after == _hours(1)
    assert plan.phases[2].bake_max == _hours(48)
    assert (plan.phases[4].approvals, plan.phases[4].approvers) == (1, "team-release")
    assert plan.phases[0].approvals == 0


def test_the_nearest_tolerance_is_in_force() -> None:
    """A signal's own comes before the phase's, the phase's before the file's, then the default."""
    phases = _read("three-rings").spec.plan.phases

    canary, later = phases[1], phases[2]
    assert _signal(later, "errors").tolerance.value == 0.0005
    assert _signal(canary, "errors").tolerance.value == 0.002
    assert _signal(canary, "orders-accepted").tolerance.value == 0.03
    assert _signal(canary, "latency").tolerance.value == 0.05
    assert (canary.minimum_requests, later.minimum_requests) == (50, 1000)


def test_a_signal_takes_the_place_of_the_pack_s_one() -> None:
    """Who asks for latency as a gate has one signal of that name, and it is a gate."""
    latencies = [
        signal
        for signal in _read("three-rings").spec.plan.phases[0].signals
        if signal.name == "latency"
    ]

    assert [signal.gate for signal in latencies] == [True]


def test_queries_and_exercises_go_to_their_source_as_written() -> None:
    """The signals driver gets what the author wrote, checked but not changed."""
    phase = _read("three-rings").spec.plan.phases[1]

    assert dict(_signal(phase, "orders-accepted").settings) == {
        "query": "sum(rate(orders_accepted_total{$arm}[5m]))"
    }
    assert dict(_signal(phase, "errors").settings) == {
        "metric": "http_requests_total",
        "bad": 'code=~"5.."',
    }
    assert [(one.name, one.minimum_count) for one in phase.exercises] == [("refund", 20)]


def test_what_differs_on_a_target_reaches_its_drivers() -> None:
    """A target's own Envoy and address come before the component's."""
    stage, eu_1, *_ = _read("three-rings").spec.targets

    assert json.loads(stage.settings_json) == {"listen": "127.0.0.1:8081"}
    assert json.loads(eu_1.settings_json) == {
        "envoy": {"admin": "10.0.0.1:9901", "rds_dir": "/etc/envoy/tidegate"},
        "region": "westeurope",
        "timezone": "Europe/Paris",
    }


def test_components_are_moved_in_the_order_of_after() -> None:
    """What is needed goes first, whatever the order in the file."""
    spec = _read("config-and-code").spec

    assert [component.name for component in spec.components] == ["tax-table", "api"]
    assert spec.components[0].kind == "config"


def test_the_json_schema_becomes_part_of_the_document() -> None:
    """A later edit of the schema's file doesn't change what was approved."""
    settings = json.loads(_read("config-and-code").spec.components[0].settings_json)

    assert settings["schema"]["type"] == "object"
    assert settings["dir"] == str(GOOD / "consumers")
    assert settings["members"] == ["127.0.0.1:9101", "127.0.0.1:9102", "127.0.0.1:9103"]


def test_envoy_s_signals_watch_only_what_stands_behind_envoy() -> None:
    """A phase that moves a configuration file isn't certified by counters that can't see it."""
    phases = _read("config-and-code").spec.plan.phases

    table, api = phases[1], phases[-1]
    assert [signal.name for signal in table.signals] == ["errors", "latency", "quotes"]
    assert [signal.name for signal in api.signals] == ["errors", "latency", "quotes", "traffic"]


@pytest.mark.parametrize("name", sorted(path.stem for path in GOOD.glob("*.yaml")))
def test_a_resolved_document_reads_back_the_same(name: str) -> None:
    """The server runs exactly what the command line resolved."""
    resolved = _read(name)

    again = from_canonical(json.loads(resolved.canonical_json))

    assert again.spec == resolved.spec
    assert again.canonical_json == resolved.canonical_json
    assert again.digest == resolved.digest
    assert [finding.rule for finding in again.findings] == [
        finding.rule for finding in resolved.findings
    ]


def test_the_same_text_gives_the_same_digest_and_another_doesn_t() -> None:
    """The digest stands for all that will be done, and for nothing else."""
    first = _read_text(_eleven())
    spaced = _read_text("# a comment\n" + _eleven())
    other = _read_text(_eleven(("/healthz", "/ready")))

    assert first.digest == spaced.digest
    assert first.digest != other.digest


def test_a_resolved_document_can_t_go_round_the_rules() -> None:
    """A client that sends a plan of its own making meets the same rules (S13)."""
    document = _read("eleven-lines").canonical
    document["plan"]["phases"] = document["plan"]["phases"][-1:]

    with pytest.raises(InvalidDocumentError, match="two-groups-before-everyone"):
        from_canonical(document)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (["plan", "phases", 0, "bake"], 4, "a duration needs a unit"),
        (["plan", "phases", 0, "moves", 0, "weight"], "101%", "at most 100%"),
        (["plan", "phases", 0, "moves", 0, "target"], "us-1", "us-1, which doesn't exist"),
        (["components", 0, "settings", "members"], 0, r"components\[0\].settings.members"),
        (["components", 0, "driver"], "kubernetes", r"components\[0\].driver"),
        (["targets", 0, "settings"], {"nice": 1}, r"targets\[0\].settings.nice"),
        (["plan", "surprise"], True, "plan.surprise"),
        (["components", 0, "settings", "env"], {"A": 1}, "env.A"),
        (["plan", "budget", "beta"], float("nan"), "plan.budget.beta"),
    ],
)
def test_a_resolved_document_is_read_strictly(
    path: list[str | int], value: object, reason: str
) -> None:
    """What comes over the network is checked as a file is."""
    document = json.loads(_read("eleven-lines").canonical_json)
    part = document
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value

    with pytest.raises(InvalidDocumentError, match=reason):
        from_canonical(document)


@pytest.mark.parametrize("document", [None, [], "x", {}, {"version": 1}])
def test_what_isn_t_a_resolved_document_is_refused(document: object) -> None:
    """Nothing but a resolved document is one."""
    with pytest.raises(InvalidDocumentError, match="the resolved document"):
        from_canonical(document)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    """The first thing that a new user meets is helpful."""
    with pytest.raises(InvalidDocumentError) as caught:
        load_service(tmp_path / "tidegate.yaml")

    assert "no such file" in caught.value.message
    assert "tidegate init" in caught.value.hint


def test_a_file_that_isn_t_text_is_refused(tmp_path: Path) -> None:
    """A binary is told by its first wrong byte."""
    path = tmp_path / "tidegate.yaml"
    path.write_bytes(b"version: 1\nowner: \xff\n")

    with pytest.raises(InvalidDocumentError, match="isn't UTF-8: byte 18 is 0xff"):
        load_service(path)


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ("{", "isn't JSON"),
        ("[1]", "isn't a JSON Schema"),
        ('{"type": "nothing"}', "isn't a JSON Schema"),
        ('{"$ref": "https://example.com/x.json"}', "nothing is fetched"),
        ('{"minimum": NaN}', "isn't JSON that can be used"),
        ('{"not":' * 200 + "{}" + "}" * 200, "nested deeper"),
        ('"' + "x" * 300_000 + '"', "is larger than"),
    ],
)
def test_a_schema_that_can_t_be_used_is_refused(tmp_path: Path, schema: str, reason: str) -> None:
    """A schema becomes part of the document, so it is as strict as the document."""
    (tmp_path / "schema.json").write_text(schema, encoding="utf-8")
    text = _eleven().split("workload:")[0] + (
        "workload: {driver: file, dir: consumers, schema: schema.json}\n"
        "targets: [eu-1]\nhealth: {source: openmetrics}\n"
    )

    with pytest.raises(InvalidDocumentError, match=reason):
        read_service(text, file="tidegate.yaml", base_dir=tmp_path)
