import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tidegate.domain.quantities import (
    NO_EXPOSURE,
    Arm,
    ComponentName,
    Environment,
    Exposure,
    Generation,
    Placement,
    ServiceName,
    TargetName,
)
from tidegate.drivers.component.placement_folder import folder_of
from tidegate.drivers.component.process import ProcessComponent
from tidegate.drivers.durable import locked
from tidegate.drivers.processes.supervisor import ShimSupervisor
from tidegate.drivers.traffic.memory import MemoryTraffic
from tidegate.errors import StaleGenerationError, TrafficError, WorkloadError
from tidegate.ports.component import Applied, Assignment
from tidegate.ports.processes import ProcessSpec
from tidegate.ports.traffic import Endpoint, Route

# Answers /healthz with the status in the file `status` beside it, and other paths after the pause in
# the file `pause`; both are read at each request.
SERVER = """
import socket, sys, time
from pathlib import Path

folder = Path(sys.argv[2])
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = server.accept()
    with connection:
        asked = connection.recv(4096).split()
        status = b"200"
        if len(asked) > 1 and asked[1] == b"/healthz":
            if (folder / "status-VERSION").exists():
                status = (folder / "status-VERSION").read_bytes()
        elif (folder / "pause").exists():
            time.sleep(float((folder / "pause").read_text()))
        connection.sendall(b"HTTP/1.1 " + status + b" x\\r\\nConnection: close\\r\\n\\r\\ndone")
"""

PLACEMENT = Placement(
    service=ServiceName("shop"), component=ComponentName("code"), target=TargetName("eu-1")
)
ROUTE = Route(
    service=PLACEMENT.service,
    target=PLACEMENT.target,
    listen=Endpoint(host="127.0.0.1", port=8080),
    sticky="cookie:tg",
    internal=None,
    target_settings_json="{}",
)
FEW = Exposure(internal=False, weight_bps=500)
HALF = Exposure(internal=False, weight_bps=5_000)
EVERYONE = Exposure(internal=False, weight_bps=10_000)


class World:
    """A data plane and a supervisor that outlive the drivers opened on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.traffic = MemoryTraffic()
        self.processes = ShimSupervisor(folder / "processes")
        self.pools = "canary"
        self.members = 2

    def driver(self) -> ProcessComponent:
        return ProcessComponent(self.processes, self.traffic, self.folder / "root")

    def settings_json(self) -> str:
        file = str(self.folder / "server-{version}.py")
        return json.dumps(
            {
                "driver": "process",
                "package": None,
                "run": None,
                "command": [sys.executable, "-S", "-E", file, "{port}", str(self.folder)],
                "files": [file],
                "env": {"COLOUR": "green"},
                "members": self.members,
                "probe": {"http": "/healthz", "every_seconds": 1.0},
                "drain_seconds": 5.0,
                "pools": self.pools,
                "traffic": {
                    "driver": "envoy",
                    "listen": "127.0.0.1:8080",
                    "sticky": "cookie:tg",
                    "internal": None,
                },
            }
        )

    async def assignment(self) -> Assignment:
        """Return the first assignment: the baseline 1.0 alone."""
        baseline = await self.driver().resolve("1.0", self.settings_json())
        return Assignment(
            placement=PLACEMENT,
            candidate=baseline,
            baseline=baseline,
            exposure=NO_EXPOSURE,
            generation=Generation(1),
            environment=Environment.LAB,
            settings_json=self.settings_json(),
            target_settings_json="{}",
        )

    async def serving(self) -> Assignment:
        """Set the baseline up, and return an assignment of the candidate at 5 %, not yet applied."""
        first = await self.assignment()
        await self.settle(first)
        candidate = await self.driver().resolve("1.1", self.settings_json())
        return replace(first, candidate=candidate, exposure=FEW, generation=Generation(2))

    async def settle(self, assignment: Assignment) -> Applied:
        async def settled() -> Applied | None:
            await self.driver().apply(assignment)
            seen = await self.driver().observe(PLACEMENT)
            return seen if seen.settled else None

        return await until(settled)

    async def seen(self, holds: Callable[[Applied], bool]) -> Applied:
        async def found() -> Applied | None:
            seen = await self.driver().observe(PLACEMENT)
            return seen if holds(seen) else None

        return await until(found)

    async def pid(self, name: str) -> int:
        status = await self.processes.status(name)
        assert status is not None and status.pid is not None
        return status.pid


async def until(probe: Callable[[], Awaitable[Applied | None]]) -> Applied:
    async with asyncio.timeout(60):
        while True:
            found = await probe()
            if found is not None:
                return found
            await asyncio.sleep(0.02)


def names(seen: Applied, arm: Arm) -> list[str]:
    return [member.name for member in seen.members if member.arm is arm]


def ports(seen: Applied, arm: Arm) -> list[int]:
    return [int(place.rpartition(":")[2]) for place in seen.arms[arm]["members"].split(",")]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    for version in ("1.0", "1.1"):
        source = SERVER.replace("VERSION", version) + f"# {version}\n"
        (tmp_path / f"server-{version}.py").write_text(source)
    world = World(tmp_path)
    yield world
    await asyncio.gather(*(world.processes.end(n) for n in await world.processes.names()))


async def test_a_killed_member_is_seen_restarted_and_counted(world: World) -> None:
    """A crash of a candidate's member is a protective fact, never silently healed."""
    few = await world.serving()
    before = await world.settle(few)
    (member,) = names(before, Arm.CANDIDATE)

    os.kill(await world.pid(member), signal.SIGKILL)

    seen = await world.seen(lambda seen: seen.settled and seen.trips > 0)
    assert (before.trips, seen.trips) == (0, 1)
    (restarted,) = (one for one in seen.members if one.arm is Arm.CANDIDATE)
    assert restarted.note == "it ended by itself 1 times, last with -9"


async def test_a_member_that_is_not_ready_gets_no_traffic(world: World) -> None:
    """The weight waits for the pool, and says for what."""
    few = await world.serving()
    (world.folder / "status-1.1").write_text("503")

    await world.driver().apply(few)

    seen = await world.seen(lambda seen: "HTTP 503" in seen.why_not)
    assert (seen.settled, seen.exposure) == (False, NO_EXPOSURE)
    assert "isn't ready: HTTP 503 from /healthz" in seen.why_not
    split = (await world.traffic.read_split(ROUTE)).split
    assert split is not None and split.generation == 1


async def test_a_member_that_stops_being_ready_unsettles(world: World) -> None:
    """Complete means observed now, not once."""
    few = await world.serving()
    await world.settle(few)

    (world.folder / "status-1.0").write_text("500")

    seen = await world.driver().observe(PLACEMENT)
    assert not seen.settled
    assert "HTTP 500" in seen.why_not


async def test_the_candidate_grows_with_its_weight(world: World) -> None:
    """A canary holds no more processes than its share needs, and never fewer than one."""
    world.members = 4
    few = await world.serving()

    first = await world.settle(few)

    half = await world.settle(replace(few, exposure=HALF, generation=Generation(3)))
    full = await world.settle(replace(few, exposure=EVERYONE, generation=Generation(4)))
    counts = [len(names(seen, Arm.CANDIDATE)) for seen in (first, half, full)]
    assert counts == [1, 2, 4]
    assert all(len(names(seen, Arm.BASELINE)) == 4 for seen in (first, half, full))


async def test_blue_and_green_are_both_whole_from_the_start(world: World) -> None:
    """Before anyone is sent over, the other pool can carry everyone."""
    world.pools = "blue-green"
    few = await world.serving()

    seen = await world.settle(few)

    assert len(names(seen, Arm.CANDIDATE)) == world.members


async def test_a_port_taken_by_another_program_is_not_taken_for_a_member(world: World) -> None:
    """Somebody else's answer on a member's port is not that member's: it moves to another port."""
    few = await world.serving()
    before = await world.settle(few)
    (member,), (port,) = names(before, Arm.CANDIDATE), ports(before, Arm.CANDIDATE)
    pid = await world.pid(member)
    os.kill(pid, signal.SIGSTOP)  # so that it can't come back before we have the port
    os.kill(pid, signal.SIGKILL)
    thief = await _take(port)
    try:
        seen = await world.seen(lambda seen: not seen.settled)

        healed = await world.settle(few)

        assert "port" in seen.why_not or "doesn't run" in seen.why_not
        assert ports(healed, Arm.CANDIDATE) != [port]
        split = (await world.traffic.read_split(ROUTE)).split
        assert split is not None and split.candidate is not None
        assert [place.port for place in split.candidate.endpoints] == ports(healed, Arm.CANDIDATE)
    finally:
        thief.close()


async def _take(port: int) -> socket.socket:
    async with asyncio.timeout(30):
        while True:
            try:
                taken = socket.create_server(("127.0.0.1", port))
            except OSError:
                await asyncio.sleep(0)
                continue
            return taken


async def test_changed_files_are_seen_and_are_not_the_version_any_more(world: World) -> None:
    """A member that would start from other files next time doesn't count as what was approved."""
    few = await world.serving()
    await world.settle(few)
    (kept,) = (world.folder / "root" / "versions").rglob("server-1.1.py")

    kept.write_text("# edited by hand")

    seen = await world.driver().observe(PLACEMENT)
    assert not seen.settled
    assert "files/server-1.1.py was changed" in seen.why_not
    assert {one.digest for one in seen.members if one.arm is Arm.CANDIDATE} == {""}


async def test_an_edit_of_the_source_changes_nothing_that_was_resolved(world: World) -> None:
    """What was planned is what is deployed, whatever happens to the files meanwhile."""
    few = await world.serving()
    (world.folder / "server-1.1.py").write_text("raise SystemExit('edited')")

    seen = await world.settle(few)

    assert seen.candidate == few.candidate


async def test_a_member_started_with_another_digest_is_found_out(world: World) -> None:
    """The digest is read from the running process, not from what we meant to start."""
    few = await world.serving()
    seen = await world.settle(few)
    (member,) = names(seen, Arm.CANDIDATE)
    spec = json.loads((world.folder / "processes" / member / "spec.json").read_text())
    await world.processes.end(member)
    # The same command under the same name, but not ours.
    await world.processes.ensure(
        ProcessSpec(
            name=member,
            argv=tuple(spec["argv"]),
            env={"TIDEGATE_DIGEST": "sha256:other"},
            cwd=Path(spec["cwd"]),
            keep_alive=True,
            drain_seconds=1,
        )
    )

    seen = await world.seen(lambda seen: "sha256:other" in seen.why_not)

    assert not seen.settled


async def test_exposure_falls_though_the_candidate_is_broken(world: World) -> None:
    """The safe direction waits for nobody."""
    few = await world.serving()
    await world.settle(replace(few, exposure=HALF))
    (world.folder / "status-1.1").write_text("500")

    await world.driver().apply(replace(few, exposure=FEW, generation=Generation(3)))

    split = (await world.traffic.read_split(ROUTE)).split
    assert split is not None and (split.weight_bps, split.generation) == (500, 3)


async def test_a_recovery_settles_though_what_it_leaves_is_broken(world: World) -> None:
    """With everyone on the good version, the bad one's members may be as dead as they like."""
    back = await world.serving()
    (world.folder / "status-1.0").write_text("500")

    seen = await world.settle(replace(back, exposure=EVERYONE))

    assert seen.exposure == EVERYONE


async def test_a_withdrawal_does_not_wait_for_a_call_that_hangs(world: World) -> None:
    """A controller that was stopped while it held the lock keeps nobody from stopping."""
    few = await world.serving()
    await world.settle(few)
    lock = folder_of(world.folder / "root", PLACEMENT) / "lock"

    async with locked(lock, wait=timedelta(seconds=1)):
        await world.driver().withdraw(PLACEMENT, Generation(3))

    split = (await world.traffic.read_split(ROUTE)).split
    assert split is not None and split.weight_bps == 0
    with pytest.raises(StaleGenerationError):
        await world.driver().apply(few)


async def test_withdrawn_members_stay_until_they_are_retired(world: World) -> None:
    """What failed can be looked at; it goes when somebody says so."""
    few = await world.serving()
    before = await world.settle(few)
    (member,) = names(before, Arm.CANDIDATE)

    await world.driver().withdraw(PLACEMENT, Generation(3))

    assert await world.pid(member)
    await world.driver().retire(PLACEMENT)
    assert member not in await world.processes.names()


async def test_a_request_in_flight_is_finished_before_its_member_goes(world: World) -> None:
    """Retiring loses nothing: the member is asked to end only when its connections are closed."""
    few = await world.serving()
    seen = await world.settle(few)
    (port,) = ports(seen, Arm.CANDIDATE)
    (world.folder / "pause").write_text("0.5")
    await world.driver().withdraw(PLACEMENT, Generation(3))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /slow HTTP/1.1\r\n\r\n")

    await world.driver().retire(PLACEMENT)

    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.endswith(b"done")


async def test_the_old_version_stays_warm_and_ready_after_a_finish(world: World) -> None:
    """The way back is one write: its members run until the quarantine is over."""
    few = await world.serving()
    everyone = replace(few, exposure=EVERYONE)
    before = await world.settle(everyone)
    old = names(before, Arm.BASELINE)

    await world.driver().finish(PLACEMENT, Generation(2))

    split = (await world.traffic.read_split(ROUTE)).split
    assert split is not None and len(split.warm) == 1
    assert set(old) <= set(await world.processes.names())
    await world.driver().retire(PLACEMENT)
    assert not set(old) & set(await world.processes.names())
    assert (await world.driver().observe(PLACEMENT)).settled


async def test_a_finish_that_was_cut_off_is_completed_by_the_next(world: World) -> None:
    """Noted and not done is done again, not believed."""
    few = await world.serving()
    await world.settle(replace(few, exposure=EVERYONE))
    world.traffic.unreachable = True
    with pytest.raises(TrafficError):
        await world.driver().finish(PLACEMENT, Generation(2))
    world.traffic.unreachable = False
    folder = folder_of(world.folder / "root", PLACEMENT)
    (folder / "finished.json").write_text('{"generation": 2}')  # as if cut off just after it

    await world.driver().finish(PLACEMENT, Generation(2))

    seen = await world.driver().observe(PLACEMENT)
    assert seen.serving == few.candidate
    assert seen.candidate is None


@pytest.mark.parametrize("after_seconds", [0.0, 0.005, 0.02, 0.05, 0.1, 0.2])
async def test_a_call_may_be_cut_off_anywhere(world: World, after_seconds: float) -> None:
    """Whoever comes next finds every process there is, doubles none, and gets there."""
    few = await world.serving()
    try:
        async with asyncio.timeout(after_seconds):
            while True:
                await world.driver().apply(few)
                await asyncio.sleep(0)
    except TimeoutError:
        pass

    seen = await world.settle(few)

    assert len(await world.processes.names()) == len(seen.members) == 3


async def test_what_is_retired_while_a_candidate_comes_up_is_not_the_candidate(
    world: World,
) -> None:
    """A late retire doesn't end what a newer assignment has just started."""
    few = await world.serving()
    (world.folder / "status-1.1").write_text("503")
    await world.driver().apply(few)
    started = await world.processes.names()

    await world.driver().retire(PLACEMENT)

    assert await world.processes.names() == started


async def test_members_get_their_settings_and_none_of_our_secrets(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment of a member is what its document says, and what tells it apart."""
    monkeypatch.setenv("SERVER_SECRET", "hidden")
    first = await world.assignment()

    seen = await world.settle(first)

    pid = await world.pid(seen.members[0].name)
    environment = Path(f"/proc/{pid}/environ").read_text()
    assert "COLOUR=green" in environment
    assert f"TIDEGATE_DIGEST={first.baseline.digest}" in environment
    assert "hidden" not in environment


async def test_a_root_that_can_not_be_written_is_an_error(world: World) -> None:
    """No permission or no space: told with the path, and nothing is half done."""
    first = await world.assignment()
    (world.folder / "file").touch()
    driver = ProcessComponent(world.processes, world.traffic, world.folder / "file")

    with pytest.raises(WorkloadError, match="can't be written"):
        await driver.apply(first)

    assert await world.processes.names() == ()


async def test_a_version_that_is_served_can_not_be_replaced_without_phases(world: World) -> None:
    """A controller that believes in another baseline moves nobody."""
    few = await world.serving()
    other = replace(few.baseline, name="0.9", digest="sha256:" + "9" * 64)

    with pytest.raises(WorkloadError, match=r"serves 1\.0, not 0\.9"):
        await world.driver().apply(replace(few, baseline=other))

    assert (await world.driver().observe(PLACEMENT)).settled
