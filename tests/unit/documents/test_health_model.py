"""What `health.model`, limits and shadow stand for, and that a file without them is what it was."""

from pathlib import Path

from tidegate.documents.service_file import ResolvedService, from_canonical, read_service
from tidegate.domain.plan.model import (
    Dependency,
    Effect,
    HealthModel,
    HealthNode,
    Impact,
    Limit,
    SignalSpec,
)

SERVICE = """\
version: 1
service: orders-api
owner: team-orders
workload:
  driver: process
  package: orders
  run: orders --port {port}
  probe: {http: /healthz}
  traffic: {driver: envoy, listen: "127.0.0.1:8080"}
targets: [eu]
health:
  source: prometheus://localhost:9090
  signals:
    - http
    - {name: orders, kind: usage, metric: orders_total}
    - {name: lock-wait, kind: limit, query: "max(pg_lock_wait_seconds{$target})", limit: 1s}
"""
MODEL = """\
  model:
    orders-api: {needs: {orders-db: outage, payments: degraded}}
    orders-db: {signals: [lock-wait]}
"""


def read(text: str = SERVICE + MODEL) -> ResolvedService:
    return read_service(text, file="tidegate.yaml", base_dir=Path("/srv"))


def signal(resolved: ResolvedService, name: str) -> SignalSpec:
    return next(one for one in resolved.spec.plan.phases[0].signals if one.name == name)


def test_the_service_gets_the_signals_that_no_other_node_has() -> None:
    """What is only named as needed is a node too, without signals."""
    model = read().spec.plan.health

    assert model == HealthModel(
        nodes=(
            HealthNode(
                name="orders-api",
                signals=("errors", "latency", "orders"),
                needs=(
                    Dependency(node="orders-db", impact=Impact.OUTAGE),
                    Dependency(node="payments", impact=Impact.DEGRADED),
                ),
            ),
            HealthNode(name="orders-db", signals=("lock-wait",)),
            HealthNode(name="payments"),
        )
    )


def test_a_limit_is_no_gate_and_halts_by_default() -> None:
    """It has its value in seconds, a side, and what crossing it does."""
    spec = signal(read(), "lock-wait")

    assert spec.limit == Limit(value=1.0, above=True, effect=Effect.HALT)
    assert not spec.gate


def test_a_limit_can_hold_and_can_be_a_least() -> None:
    """The sign says which side is good, `on_breach` what crossing it does."""
    text = SERVICE.replace("limit: 1s}", 'limit: "> 100", on_breach: hold}')

    spec = signal(read(text), "lock-wait")

    assert spec.limit == Limit(value=100.0, above=False, effect=Effect.HOLD)


def test_what_is_not_written_is_not_in_the_resolved_document() -> None:
    """A service without a model, limits or shadow keeps the digest it had before there were any."""
    plain = read(SERVICE.replace(SERVICE.splitlines()[-1] + "\n", ""))

    assert "health" not in plain.canonical["plan"]
    for found in plain.canonical["plan"]["phases"][0]["signals"]:
        assert "limit" not in found
        assert "shadow" not in found


def test_a_resolved_document_with_a_model_reads_back() -> None:
    """Model, limit and the three answers to shadow survive the way over the network."""
    text = (SERVICE + MODEL).replace("limit: 1s}", "limit: 1s, shadow: false}")
    text = text.replace(
        "    - http\n", "    - http\n    - {name: slow, kind: latency, shadow: true}\n"
    )

    resolved = read(text)

    assert from_canonical(resolved.canonical).spec == resolved.spec
    shadows = {
        one.name: (one.shadow, one.new_in_shadow) for one in resolved.spec.plan.phases[0].signals
    }
    assert shadows["slow"] == (True, True)
    assert shadows["lock-wait"] == (False, False)
    assert shadows["latency"] == (False, True)
