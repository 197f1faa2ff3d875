"""The world of a server's process: every port with its driver, and the runner. Nothing runs here yet."""

from datetime import timedelta
from pathlib import Path

import httpx

from tidegate.domain.access.proof import IdentityMode
from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.component.file import FileComponent
from tidegate.drivers.component.process import ProcessComponent
from tidegate.drivers.gate.every import every_gate
from tidegate.drivers.processes.supervisor import ShimSupervisor
from tidegate.drivers.runner.inprocess import InProcessRunner
from tidegate.drivers.secrets.folder import SecretFolder
from tidegate.drivers.signals.envoy import EnvoySignals
from tidegate.drivers.signals.envoy_users import EnvoyUsers
from tidegate.drivers.signals.openmetrics import OpenMetricsSignals
from tidegate.drivers.signals.otlp import OtlpSignals
from tidegate.drivers.signals.prometheus import PrometheusSignals
from tidegate.drivers.signals.prometheus_history import PrometheusHistory
from tidegate.drivers.signer.file import FileSigner
from tidegate.drivers.traffic.envoy import EnvoyTraffic
from tidegate.main.identity import identity_of
from tidegate.main.outward import witnesses_of
from tidegate.main.state_folder import PROCESSES_DIR
from tidegate.main.upkeep import log_failure
from tidegate.settings import Settings
from tidegate.store.open import open_store
from tidegate.usecases.outside import Outside
from tidegate.usecases.stop_guard import GuardedComponent

LEDGER_KEY_FILE = "ledger_key"
REPOSITORIES_DIR = "repositories"
"""Where the operator keeps the git repositories that the gate `review` looks into."""
HOOKS_DIR = "hooks"


def compose_world(
    settings: Settings, state_dir: Path, store_url: str, client: httpx.AsyncClient
) -> tuple[Outside, InProcessRunner]:
    """Return the world of this process: every port with its driver, and the runner."""
    clock = SystemClock()
    runner = InProcessRunner(clock, watch_every=_watch_every(settings), log=log_failure)
    processes = ShimSupervisor(state_dir / PROCESSES_DIR)
    traffic = EnvoyTraffic(state_dir / "envoy", processes)
    otlp = OtlpSignals(clock=clock)
    users = EnvoyUsers(state_dir / "envoy", clock, interval=_users_interval(settings))
    store = open_store(store_url)
    documents = FileComponent(state_dir / "documents")
    outside = Outside(
        store=store,
        clock=clock,
        components={
            "process": GuardedComponent(
                ProcessComponent(processes, traffic, state_dir / "workloads"), store
            ),
            "file": GuardedComponent(documents, store),
        },
        signals={
            "envoy": EnvoySignals(state_dir / "envoy", clock, users=users),
            "otlp": otlp,
            "openmetrics": OpenMetricsSignals(clock=clock, client=client),
            "prometheus": PrometheusSignals(clock=clock, client=client),
            "prometheus+https": PrometheusSignals(clock=clock, client=client),
        },
        wake=runner.wake,
        pulse=runner.pulse,
        lab_allowed=settings.lab_allowed,
        audience=users,
        intake=otlp,
        histories={
            scheme: PrometheusHistory(client=client)
            for scheme in ("prometheus", "prometheus+https")
        },
        signer=FileSigner(state_dir / LEDGER_KEY_FILE),
        witnesses=witnesses_of(settings),
        identity=identity_of(settings, clock, client),
        login_organisation=settings.oidc_organisation,
        identity_mode=IdentityMode(settings.identity),
        gates=every_gate(state_dir / REPOSITORIES_DIR),
        secrets=SecretFolder(state_dir / HOOKS_DIR),
        contents={"file": documents},
    )
    return outside, runner


def _users_interval(settings: Settings) -> timedelta:
    """Return how long one person's trouble counts once: a tick, which a lab has every second."""
    return timedelta(seconds=1 if settings.lab_allowed else 10)


def _watch_every(settings: Settings) -> timedelta:
    return (
        min(settings.watch_every, timedelta(milliseconds=250))
        if settings.lab_allowed
        else (settings.watch_every)
    )
