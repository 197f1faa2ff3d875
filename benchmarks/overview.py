"""
How long the fleet's page takes, and how large it is: 500 services on 20 targets in a real SQLite store.

The server is the one of production (uvicorn, the application, the store's own transactions), in a process
of its own; the page is asked for over a socket as a browser does, with compression. Reported are the
server's time (from the request until all of the answer is there), the processor time that the server took
for it, and the size of the answer, plain and compressed.

Run: `python benchmarks/overview.py [--services N] [--targets N] [--times N] [-o json]`.
"""

import argparse
import gzip
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import uvicorn

from tidegate.api.app import create_app
from tidegate.api.tokens import page_key
from tidegate.documents.records import to_json
from tidegate.domain.health.evidence import Evidence, ExerciseEvidence, SignalEvidence
from tidegate.domain.health.readings import Quality
from tidegate.domain.plan.model import (
    Change,
    ComponentChange,
    ComponentSpec,
    Move,
    Phase,
    SignalKind,
    TargetSpec,
    Tolerance,
    ToleranceUnit,
)
from tidegate.domain.quantities import (
    ComponentName,
    Environment,
    Exposure,
    Placement,
    RolloutId,
    ServiceName,
    TargetName,
    Version,
)
from tidegate.domain.rollout.machine import FINAL, State
from tidegate.domain.rollout.model import (
    Halt,
    HaltCause,
    PhasePass,
    ReasonCode,
    Rehearsal,
    Rollout,
    WaitingOn,
    WhoCanAct,
)
from tidegate.drivers.clock.system import SystemClock
from tidegate.ports.store import ServiceRecord, Store, StoredEvidence, Transaction
from tidegate.store.open import open_store
from tidegate.testing.builders import a_phase, a_plan, a_rollout
from tidegate.testing.ports import free_port
from tidegate.usecases.outside import Outside

TOKEN = "a-token-for-measuring"  # noqa: S105 - of a server that lives for a minute
BUDGETS = {"server_p95_ms": 1000.0, "html_kb": 400.0, "gzip_kb": 60.0}

RINGS = ("staging", "internal", "eu", "us", "ap")
KINDS = ("code", "iac", "flag", "config", "schema")
OWNERS = ("payments", "search", "platform", "orders", "identity", "growth")
WORDS = ("checkout", "orders", "pricing", "search", "gateway", "ledger", "catalog", "profile")

STATES = (
    (State.COMPLETED, 55),
    (State.BAKING, 18),
    (State.WAITING, 8),
    (State.ROLLED_BACK, 6),
    (State.HELD, 3),
    (State.APPLYING, 3),
    (State.PLANNED, 3),
    (State.HALTED, 2),
    (State.RECOVERING, 1),
    (State.ABANDONED, 1),
)
"""States with their weights: most of a fleet is quiet, a third of it moves, a few are in trouble."""

WAITS = {
    State.BAKING: (ReasonCode.BAKE_TIME, "2 h 47 min of bake left"),
    State.APPLYING: (ReasonCode.APPLYING, "2 of 3 members serve it"),
    State.HELD: (ReasonCode.NO_DATA, "no traffic in the candidate for 42 min"),
    State.HALTED: (ReasonCode.PERSON_AFTER_HALT, "a person decides what comes next"),
    State.RECOVERING: (ReasonCode.RECOVERING, "2 targets are still going back"),
    State.PLANNED: (ReasonCode.QUEUE, "rollout 8f3c has its targets"),
}


def seed(store: Store, *, services: int, targets: int, history: int, now: datetime) -> None:
    """Fill *store* with a fleet, each service with *history* rollouts that are over."""
    chance = random.Random(7)
    for number in range(services):
        name = f"{WORDS[number % len(WORDS)]}-{number:03}"
        with store.begin() as transaction:
            for age in range(history, 0, -1):
                at = now - timedelta(days=3 * age)
                over = a_fleet_rollout(
                    name, targets, State.COMPLETED, f"{number}h{age}", at, chance
                )
                transaction.add_rollout(over)
            at = now - timedelta(minutes=chance.randrange(5, 3000))
            state = chance.choices([one for one, _ in STATES], [weight for _, weight in STATES])[0]
            rollout = a_fleet_rollout(name, targets, state, f"{number}", at, chance)
            transaction.add_rollout(rollout)
            put_service(transaction, name, chance.choice(OWNERS), now)
            if state is State.BAKING:
                put_evidence(transaction, rollout, now, chance)


def a_fleet_rollout(
    service: str, targets: int, state: State, number: str, at: datetime, chance: random.Random
) -> Rollout:
    """Return a rollout of *service* in *state*, somewhere on its way through rings of targets."""
    kind = chance.choice(KINDS)
    placements = the_placements(service, targets)
    phases = the_phases(placements)
    index = len(phases) - 1 if state in FINAL else chance.randrange(len(phases))
    index = 0 if state is State.PLANNED else index
    minor = chance.randrange(40)
    rollout = a_rollout(
        f"{chance.randrange(0x1000000):06x}{number}",
        service=service,
        state=state,
        at=at,
        # Fresh for as long as this measures, so that forecasts are made as in a server that watches.
        plan=a_plan(placements=placements, phases=phases, stale_after=timedelta(hours=6)),
        phase_index=index,
        rehearsal=Rehearsal.PROVEN,
        revision=3,
        settled=state is State.COMPLETED,
        passes=(PhasePass(phase_index=index - 1, attempt=1, at=at, certified=("errors",)),)
        if index
        else (),
        components=(
            ComponentSpec(
                name=ComponentName(kind), kind=kind, driver="memory", settings_json="{}", after=()
            ),
        ),
        targets=tuple(
            TargetSpec(
                name=place.target,
                ring=ring_of(place.target),
                environment=Environment.PRODUCTION,
                settings_json="{}",
            )
            for place in placements
        ),
    )
    to, before = a_version(minor), a_version(minor - 1)
    rollout = replace(
        rollout,
        change=Change(components=(ComponentChange(component=ComponentName("code"), to=to),)),
        baselines=tuple((place, before) for place in placements),
        created_by=f"dev-{chance.choice('abcdef')}",
    )
    return waiting(rollout, at)


def waiting(rollout: Rollout, at: datetime) -> Rollout:
    """Return *rollout* with the wait that belongs to its state."""
    state = rollout.state
    if state is State.WAITING:
        reason, who = ReasonCode.APPROVAL, WhoCanAct.APPROVER
        words = "approval for the next phase: 0 of 1 of team-release"
        rollout = replace(
            rollout,
            plan=replace(
                rollout.plan,
                phases=tuple(
                    replace(phase, approvals=1, approvers="team-release")
                    for phase in rollout.plan.phases
                ),
            ),
        )
    elif state in WAITS:
        reason, words = WAITS[state]
        who = WhoCanAct.OPERATOR if state in (State.HELD, State.HALTED) else WhoCanAct.NOBODY
    else:
        return rollout
    halt = Halt(
        cause=HaltCause.HARM,
        because="harm proven: errors, candidate 2.314% failed, baseline 0.102%",
        by="tidegate",
        at=at,
    )
    return replace(
        rollout,
        waiting_on=WaitingOn(
            reason=reason, detail=words, until=at + timedelta(hours=60), who_can_act=who
        ),
        halt=halt if state in (State.HALTED, State.RECOVERING) else None,
    )


def the_placements(service: str, targets: int) -> list[Placement]:
    """Return where *service* runs, ring by ring."""
    return [
        Placement(
            service=ServiceName(service),
            component=ComponentName("code"),
            target=TargetName(f"{RINGS[number * len(RINGS) // targets]}-{number + 1}"),
        )
        for number in range(targets)
    ]


def the_phases(placements: list[Placement]) -> tuple[Phase, ...]:
    """Return a plan of two phases per ring: a share, then everyone."""
    phases = []
    for ring in dict.fromkeys(ring_of(place.target) for place in placements):
        here = [place for place in placements if ring_of(place.target) == ring]
        for share in (1_000, 10_000):
            exposure = Exposure(internal=True, weight_bps=share)
            phases.append(
                a_phase(
                    f"{ring} {share // 100}%",
                    ring=ring,
                    moves=tuple(Move(placement=place, exposure=exposure) for place in here),
                    bake=timedelta(hours=8),
                    bake_max=timedelta(hours=72),
                )
            )
    return tuple(phases)


def ring_of(target: str) -> str:
    """Return the ring that a target is named after."""
    return target.partition("-")[0]


def a_version(minor: int) -> Version:
    """Return a version as a build names it."""
    return Version(name=f"2.{minor % 40}.1", digest=f"sha256:{minor:064x}")


def put_service(transaction: Transaction, name: str, owner: str, now: datetime) -> None:
    """Add the document of a service, about as long as a real one."""
    document = {"service": name, "owner": owner, "version": 1, "filling": ["x" * 60] * 40}
    text = json.dumps(document)
    transaction.put_service(
        ServiceRecord(
            name=ServiceName(name), canonical_json=text, digest="sha256:" + "d" * 64, updated_at=now
        )
    )


def put_evidence(
    transaction: Transaction, rollout: Rollout, now: datetime, chance: random.Random
) -> None:
    """Add what the watch knows of a bake."""
    total = chance.randrange(2_000, 900_000)
    signals = tuple(
        SignalEvidence(
            signal=name,
            kind=SignalKind.ERRORS,
            gate=True,
            weight=0.5,
            tolerance=Tolerance(value=0.005, unit=ToleranceUnit.RATE),
            concurrent=True,
            log_e_harm=0.1,
            log_e_safe=chance.uniform(0.0, 6.0),
            quality=Quality.GOOD,
            quality_note="",
            quality_since=rollout.phase_since,
            candidate_total=total,
            candidate_bad=total // 1000,
            baseline_total=9 * total,
            baseline_bad=9 * total // 1000,
        )
        for name in ("errors", "orders")
    )
    evidence = Evidence(
        attempt=1,
        phase_index=rollout.phase_index,
        phase_began_at=rollout.phase_since,
        ticks=120,
        last_tick_at=now,
        baked_for=timedelta(minutes=chance.randrange(600)),
        log_e_harm=0.1,
        signals=signals,
        exercises=(ExerciseEvidence(name="refund", count=9, minimum_count=5),),
    )
    transaction.save_evidence(
        StoredEvidence(
            rollout_id=RolloutId(rollout.id),
            attempt=1,
            ticks=120,
            at=now,
            state_json=json.dumps([index / 7 for index in range(120)]),
            evidence_json=to_json(evidence),
        ),
        (),
    )


def serve(folder: Path, port: int) -> None:
    """Serve the store in *folder* until killed."""
    outside = Outside(
        store=open_store(f"sqlite:///{folder / 'fleet.db'}"),
        clock=SystemClock(),
        components={},
        signals={},
        wake=lambda _: None,
        lab_allowed=False,
    )
    app = create_app(outside, token=TOKEN, version="0.1.0")
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off")


@contextmanager
def served(folder: Path) -> Iterator[tuple[int, int]]:
    """Run a server over *folder* while the block runs; give its port and process."""
    port = free_port()
    arguments = [sys.executable, __file__, "--serve", str(folder), "--port", str(port)]
    process = subprocess.Popen(arguments)
    try:
        wait_for(port)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def wait_for(port: int) -> None:
    """Return when a server listens on *port*."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            ask(port, "/healthz")
        except (OSError, HTTPException):
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server didn't start within 60 s")


def ask(port: int, path: str) -> tuple[bytes, bytes, float]:
    """Return the answer's body plain and as it was sent, and the seconds until all of it was there."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.perf_counter()
    cookie = f"tidegate_pages_{port}={page_key(TOKEN)}"
    connection.request("GET", path, headers={"accept-encoding": "gzip", "cookie": cookie})
    answer = connection.getresponse()
    sent = answer.read()
    took = time.perf_counter() - began
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}: {sent[:200]!r}")
    plain = gzip.decompress(sent) if answer.headers.get("content-encoding") == "gzip" else sent
    return plain, sent, took


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(port: int, pid: int, path: str, times: int) -> dict[str, float]:
    """Return how long, how dear and how large *path* is."""
    _, _, first = ask(port, path)
    began = cpu_seconds(pid)
    answers = [ask(port, path) for _ in range(times)]
    cpu = (cpu_seconds(pid) - began) / times
    took = sorted(seconds for _, _, seconds in answers)
    plain, sent, _ = answers[-1]
    return {
        "first_ms": first * 1e3,
        "server_p50_ms": statistics.median(took) * 1e3,
        "server_p95_ms": took[min(len(took) - 1, int(len(took) * 0.95))] * 1e3,
        "cpu_ms": cpu * 1e3,
        "html_kb": len(plain) / 1000,
        "gzip_kb": len(sent) / 1000,
    }


def measure(services: int, targets: int, history: int, times: int) -> dict[str, dict[str, float]]:
    """Return the figures of each page and fragment, by its name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = open_store(f"sqlite:///{folder / 'fleet.db'}")
        now = SystemClock().now()
        seed(store, services=services, targets=targets, history=history, now=now)
        store.close()
        pages = {
            "page": "/",
            "page, roomy": "/?density=roomy",
            "page, filtered": "/?q=owner:pay*+state:held,baking",
            "summary": "/fleet/summary",
            "row": "/fleet/rows?service=checkout-000&column=eu/eu-9",
        }
        with served(folder) as (port, pid):
            return {label: measured(port, pid, path, times) for label, path in pages.items()}


def main() -> int:
    """Measure, print, and say whether the budgets of the page are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--services", type=int, default=500)
    parser.add_argument("--targets", type=int, default=20)
    parser.add_argument("--history", type=int, default=10, help="Rollouts of each that are over.")
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--seed-only", type=Path, help="Only fill a store in this folder.")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("-o", choices=["table", "json"], default="table")
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.port)
        return 1
    if options.seed_only:
        store = open_store(f"sqlite:///{options.seed_only / 'fleet.db'}")
        seed(
            store,
            services=options.services,
            targets=options.targets,
            history=options.history,
            now=SystemClock().now(),
        )
        return 0
    results = measure(options.services, options.targets, options.history, options.times)
    met = {name: results["page"][name] <= budget for name, budget in BUDGETS.items()}
    if options.o == "json":
        print(json.dumps({"results": results, "budgets": BUDGETS}, indent=2))
    else:
        names = list(results["page"])
        print(f"{'':<16}" + "".join(f"{name:>15}" for name in names))
        for label, found in results.items():
            print(f"{label:<16}" + "".join(f"{found[name]:15.1f}" for name in names))
        for name, budget in BUDGETS.items():
            print(f"{name} of the page: budget {budget:g}: {'met' if met[name] else 'MISSED'}")
    return 0 if all(met.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
