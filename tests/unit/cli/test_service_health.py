"""`tidegate service health`: the tree, what if, what sources gave, and what the past shows."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from served_world import Cli, Server

from tidegate.domain.health.readings import Reading, SeriesCounts
from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State
from tidegate.testing.builders import a_placement
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, a_limit_reading

WITH_MODEL = DOCUMENT.replace(
    "signals: [{name: errors, kind: errors}]",
    """signals:
    - {name: errors, kind: errors}
    - {name: db-lock-wait, kind: limit, source: openmetrics, metric: lock_wait_seconds, limit: 1s}
  model:
    shop: {needs: {shop-db: outage, mail: none}}
    shop-db: {signals: [db-lock-wait], needs: {disk: degraded}}""",
)


@contextmanager
def passing_time(server: Server) -> Iterator[None]:
    """Let the server's time pass from when its sources are asked, so that they're asked a second time."""
    over = threading.Event()

    async def advance(world: MemoryWorld) -> None:
        calls = len(world.signals.calls)
        while not over.is_set():
            if len(world.signals.calls) > calls:
                world.clock.advance(timedelta(milliseconds=50))
            await asyncio.sleep(0.002)

    worker = threading.Thread(target=lambda: server.do(advance(server.world)))
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()


def installed(server: Server, *, lock_wait: float) -> None:
    """Install the shop; its database's locks take so long, in seconds."""
    server.do(server.world.installed(document=WITH_MODEL))
    now = server.world.clock.now()
    series = {"one": SeriesCounts(total=100.0)}
    server.world.signals.put(a_placement(), "db-lock-wait", a_limit_reading(now, lock_wait))
    server.world.signals.put(a_placement(), "errors", Reading(at=now, arms={Arm.BASELINE: series}))


def test_the_tree_shows_each_node_below_what_needs_it(cli: Cli, server: Server) -> None:
    """Depth, state and what a failure does to the node above can be read without colour."""
    installed(server, lock_wait=0.1)

    shown = cli("service", "health", "explain", "shop")

    assert shown.code == 0
    lines = [line.rstrip() for line in shown.out.splitlines()]
    assert lines[0].startswith("shop  ? unknown")
    assert lines[1].startswith("No rollout is under way. `tidegate service health test shop`")
    tree = lines[lines.index(next(line for line in lines if line.startswith("NODE"))) :]
    assert [line.split("  ")[0] or line.lstrip().split("  ")[0] for line in tree[1:5]] == [
        "shop",
        "shop-db",
        "disk",
        "mail",
    ]
    assert tree[2].startswith("  shop-db") and "outage above" in tree[2]
    assert tree[3].startswith("    disk") and "nothing measures it" in tree[3]
    assert tree[4].startswith("  mail") and "no harm above" in tree[4]


def test_what_if_shows_how_trouble_spreads(cli: Cli, server: Server) -> None:
    """Supposed states are told as supposed, and the chain leads to them; both commands do it."""
    installed(server, lock_wait=0.1)

    for verb in ("explain", "test"):
        shown = cli("service", "health", verb, "shop", "--what-if", "disk=unhealthy")

        assert shown.code == 0
        assert "disk is unhealthy because it is supposed to be unhealthy" not in shown.err
        assert "it is supposed to be unhealthy" in shown.out


def test_a_misspelt_what_if_is_a_wrong_usage(cli: Cli, server: Server) -> None:
    """The names there are come with the refusal."""
    installed(server, lock_wait=0.1)

    shown = cli("service", "health", "explain", "shop", "--what-if", "disc=unhealthy")

    assert shown.code == 2
    assert "take one of: shop, shop-db, mail, disk" in shown.err


def test_a_test_that_finds_nothing_ends_well(cli: Cli, server: Server) -> None:
    """Every source answered and no limit is broken: exit code 0."""
    installed(server, lock_wait=0.1)

    with passing_time(server):
        tested = cli("service", "health", "test", "shop")

    assert (tested.code, tested.err) == (0, "")
    assert "0.1, at most 1 is allowed" in tested.out
    assert "goes on" in tested.out


def test_a_test_that_finds_something_needs_a_person(cli: Cli, server: Server) -> None:
    """A broken limit is told with what it would do; the names are those of what would hold or halt."""
    installed(server, lock_wait=7.0)

    with passing_time(server):
        tested = cli("service", "health", "test", "shop", "-o", "name")

    assert tested.code == 3
    assert tested.out == "db-lock-wait\n"


def test_what_is_wrong_with_data_comes_with_what_to_do(cli: Cli, server: Server) -> None:
    """A signal without data is named with its target and a fix."""
    installed(server, lock_wait=0.1)
    server.world.signals.put(a_placement(), "db-lock-wait", None)

    with passing_time(server):
        tested = cli("service", "health", "test", "shop")

    assert tested.code == 3
    assert "missing" in tested.out
    assert "holds a rollout at once, halts it after 10s" in tested.out
    assert "db-lock-wait on eu: see that the name or query is right" in tested.out


def test_the_past_and_what_to_write_are_told(cli: Cli, server: Server) -> None:
    """`--history` has a row per signal; `enforce` says of one whether it is enforced already."""
    rollout = server.baking()
    server.run(rollout, State.ROLLED_BACK, failing={Arm.CANDIDATE: 0.5})

    history = cli("service", "health", "explain", "shop", "--history")
    enforced = cli("service", "health", "enforce", "shop", "errors")
    unknown = cli("service", "health", "enforce", "shop", "latency")

    assert "would have halted 1 of 1 rollout" in history.out
    assert rollout.id in history.out
    assert "It is enforced already." in enforced.out
    assert (unknown.code, "it has: errors" in unknown.err) == (2, True)


def test_a_signal_in_shadow_is_told_how_to_be_enforced(cli: Cli, server: Server) -> None:
    """The file is the truth: the line to write is shown, and nothing is changed."""
    server.installed()
    document = DOCUMENT.replace(
        "{name: errors, kind: errors}",
        "{name: errors, kind: errors},"
        " {name: paid, kind: usage, gate: false, shadow: true, source: openmetrics, metric: paid}",
    )
    server.do(server.world.start("1.1.0", document=document))

    shown = cli("service", "health", "enforce", "shop", "paid")

    assert shown.code == 0
    assert "new: no rollout has watched it yet" in shown.out
    assert "write `shadow: false` at paid in health.signals" in shown.out


@pytest.mark.parametrize("verb", [["explain"], ["explain", "--history"]], ids=" ".join)
def test_health_prints_every_format(cli: Cli, server: Server, verb: list[str]) -> None:
    """json, jsonl and yaml are documents; table, wide and name are text."""
    installed(server, lock_wait=0.1)

    for form in ("table", "wide", "name", "json", "jsonl", "yaml"):
        shown = cli("service", "health", *verb, "shop", "-o", form)

        assert (shown.code, shown.err) == (0, ""), form
        assert shown.out.strip(), form
