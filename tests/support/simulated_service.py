"""A service of two targets under the plan `standard`, for tests of simulations."""

from pathlib import Path
from typing import Final

from tidegate.documents.service_file import read_service
from tidegate.domain.plan.model import Plan, ServiceSpec
from tidegate.usecases.simulation.results import Result, result_of
from tidegate.usecases.simulation.runs import simulate
from tidegate.usecases.simulation.scenario import Scenario
from tidegate.usecases.simulation.usage import assumed_traffic, usage_of

SERVICE: Final = """\
version: 1
service: orders
owner: team-orders
workload:
  driver: process
  package: orders
  run: "orders --port {port}"
  probe: {http: /healthz}
  traffic: {driver: envoy, listen: "127.0.0.1:8080"}
targets: [{name: eu-1}, {name: eu-2, settings: {listen: "127.0.0.1:8081"}}]
health: {source: envoy, signals: [http]}
"""

WITH_USAGE: Final = SERVICE.replace(
    "signals: [http]",
    "signals: [http, {name: placed, kind: usage, source: openmetrics, metric: orders_total}]",
)
WITH_EXERCISE: Final = SERVICE.replace(
    "signals: [http]}",
    "signals: [http], exercise:"
    " [{name: refund, source: openmetrics, metric: refunds_total, min: 10}]}",
)


def the_service(text: str = SERVICE) -> ServiceSpec:
    """Return the service that *text* describes."""
    return read_service(text, file="tidegate.yaml", base_dir=Path("/nowhere")).spec


def simulated(
    scenario: Scenario,
    *,
    text: str = SERVICE,
    plan: Plan | None = None,
    runs: int = 3,
    seed: int = 1,
    requests_per_second: float = 100.0,
) -> Result:
    """Return what *scenario* comes to under the service's plan, or another one."""
    spec = the_service(text)
    chosen = plan or spec.plan
    usage = usage_of(assumed_traffic(spec.targets, requests_per_second))
    return result_of(
        "main", chosen, scenario, simulate(chosen, scenario, usage, runs=runs, seed=seed)
    )
