"""What `health.alerts` and `health.coverage` stand for, and what isn't written because it is the default."""

import json
from pathlib import Path

import pytest

from tidegate.documents.service_file import ResolvedService, from_canonical, read_service
from tidegate.domain.plan.model import AlertPolicy, CoverageSpec, Effect

SERVICE = """\
version: 1
service: shop
owner: team-shop
workload:
  driver: process
  package: shop
  run: shop --port {port}
  probe: {http: /healthz}
  traffic: {driver: envoy, listen: "127.0.0.1:8080", internal: "header:x-internal=1"}
targets: [TARGET]
health:
  source: openmetrics
  signals: [{name: errors, kind: errors}]
"""
PLAN = """\
plan:
  phases:
    - {name: us, traffic: internal, bake: 1h}
    - {name: few, traffic: 5%, bake: 2h}
    - {name: more, traffic: 25%, bake: 2h}
    - {name: all, bake: 8h}
"""


def read(health: str = "", *, target: str = "eu", plan: str = PLAN) -> ResolvedService:
    text = SERVICE.replace("TARGET", target) + health + plan
    return read_service(text, file="tidegate.yaml", base_dir=Path("/srv"))


def coverages(resolved: ResolvedService) -> list[CoverageSpec | None]:
    return [phase.coverage for phase in resolved.spec.plan.phases]


def test_without_a_word_pages_halt_and_tickets_hold() -> None:
    """Alerts that name the service count, and nobody has to ask for that."""
    assert read().spec.plan.alerts == AlertPolicy(page=Effect.HALT, ticket=Effect.HOLD)


def test_a_policy_says_which_alerts_count_and_what_they_do() -> None:
    """Labels in any order are the same policy."""
    one = read("  alerts: {match: {team: search, env: prod}, page: hold, ticket: ignore}\n")
    other = read("  alerts: {match: {env: prod, team: search}, page: hold, ticket: ignore}\n")

    assert one.spec.plan.alerts == AlertPolicy(
        match=(("env", "prod"), ("team", "search")), page=Effect.HOLD, ticket=Effect.IGNORE
    )
    assert one.digest == other.digest


def test_coverage_has_the_documented_defaults() -> None:
    """300 uses of each kind above 0.1 %, 99 % of the use, 1 % unseen, two busy hours."""
    resolved = read("  coverage: {by: [region, client]}\n")

    spec = CoverageSpec(
        by=("region", "client"),
        smallest_cell=0.001,
        smallest_failure=0.01,
        share=0.99,
        unseen=0.01,
        busy_hours=2,
        timezone_label=None,
        source="openmetrics",
        settings=(),
    )
    assert coverages(resolved) == [None, spec, spec, spec]


def test_coverage_says_what_is_written() -> None:
    """Each key has its say, and a source of its own."""
    resolved = read(
        "  coverage: {by: [region, tz], smallest_cell: 1%, smallest_failure: 5%, share: 95%,"
        " unseen: 2%, busy_hours: 4, timezone_label: tz, metric: page_views_total,"
        ' source: "prometheus://127.0.0.1:9090"}\n'
    )

    spec = coverages(resolved)[1]
    assert spec is not None
    assert (spec.smallest_cell, spec.smallest_failure, spec.share) == (0.01, 0.05, 0.95)
    assert (spec.unseen, spec.busy_hours, spec.timezone_label) == (0.02, 4, "tz")
    assert spec.source == "prometheus://127.0.0.1:9090"
    assert spec.settings == (("metric", "page_views_total"),)


@pytest.mark.parametrize(
    ("written", "hours"), [("{by: [region]}", 0), ("{by: [region], busy_hours: 1}", 1)]
)
def test_a_lab_needs_no_busy_hours_unless_it_says_so(written: str, hours: int) -> None:
    """Its bakes last seconds; everything else of coverage is as elsewhere."""
    resolved = read(
        f"  coverage: {written}\n", target="{name: eu, environment: lab}", plan="plan: lab\n"
    )

    specs = [spec for spec in coverages(resolved) if spec is not None]
    assert specs
    assert {spec.busy_hours for spec in specs} == {hours}


def test_what_has_its_default_is_not_in_the_resolved_document() -> None:
    """A service that asks for neither has the digest that it had before there were either."""
    document = read().canonical

    assert "alerts" not in document["plan"]
    assert all("coverage" not in phase for phase in document["plan"]["phases"])


def test_the_resolved_document_reads_back() -> None:
    """What is stored and hashed is what runs."""
    resolved = read(
        "  alerts: {match: {team: search}, page: hold}\n"
        "  coverage: {by: [region, tz], timezone_label: tz, share: 99.5%}\n"
    )

    again = from_canonical(json.loads(json.dumps(resolved.canonical)))

    assert again.spec == resolved.spec
    assert again.digest == resolved.digest
