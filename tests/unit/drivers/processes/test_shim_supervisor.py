import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tidegate.drivers.processes import shim
from tidegate.drivers.processes.supervisor import ShimSupervisor
from tidegate.errors import WorkloadError
from tidegate.ports.processes import ProcessSpec, ProcessStatus

PYTHON = (sys.executable, "-S", "-E", "-c")
SLEEP = "import time; time.sleep(600)"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "processes"


@pytest.fixture
async def supervisor(root: Path) -> AsyncIterator[ShimSupervisor]:
    supervisor = ShimSupervisor(root)
    yield supervisor
    for name in await supervisor.names():
        await supervisor.end(name)


def a_process(tmp_path: Path, program: str = SLEEP, *, drain_seconds: float = 5.0) -> ProcessSpec:
    return ProcessSpec(
        name="member-0",
        argv=(*PYTHON, program),
        env={"PATH": "/usr/bin:/bin", "COLOUR": "green"},
        cwd=tmp_path,
        keep_alive=True,
        drain_seconds=drain_seconds,
    )


def shim_pid(root: Path) -> int:
    pid = json.loads((root / "member-0" / "status.json").read_text())["shim_pid"]
    assert isinstance(pid, int)
    return pid


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.01)


async def status_until(
    supervisor: ShimSupervisor, holds: Callable[[ProcessStatus], bool]
) -> ProcessStatus:
    async with asyncio.timeout(30):
        while True:
            status = await supervisor.status("member-0")
            if status is not None and holds(status):
                return status
            await asyncio.sleep(0.01)


def runs(pid: int) -> bool:
    return shim.start_time_of(pid) is not None


async def test_a_process_outlives_the_server_that_asked_for_it(
    supervisor: ShimSupervisor, root: Path, tmp_path: Path
) -> None:
    """`kill -9` of the server changes nothing for those who serve users."""
    program = f"""
import asyncio, os, signal
from pathlib import Path
from tidegate.drivers.processes.supervisor import ShimSupervisor
from tidegate.ports.processes import ProcessSpec
spec = ProcessSpec(name="member-0", argv={(*PYTHON, SLEEP)!r}, env={{}}, cwd=Path({str(tmp_path)!r}),
                   keep_alive=True, drain_seconds=5)
asyncio.run(ShimSupervisor(Path({str(root)!r})).ensure(spec))
os.kill(os.getpid(), signal.SIGKILL)
"""

    server = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], check=False)

    status = await supervisor.status("member-0")
    assert server.returncode == -signal.SIGKILL
    assert status is not None and status.pid is not None


async def test_a_killed_shim_does_not_take_its_process_along(
    supervisor: ShimSupervisor, root: Path, tmp_path: Path
) -> None:
    """The process serves on, is adopted by the next shim, and is again kept alive by it."""
    spec = a_process(tmp_path)
    started = await supervisor.ensure(spec)
    assert started.pid is not None
    first_shim = shim_pid(root)
    os.kill(first_shim, signal.SIGKILL)
    await until(lambda: not runs(first_shim))

    adopted = await supervisor.ensure(spec)

    assert adopted.pid == started.pid
    await until(lambda: shim_pid(root) != first_shim)
    os.kill(started.pid, signal.SIGKILL)
    again = await status_until(supervisor, lambda seen: seen.pid not in (None, started.pid))
    assert again.restarts == 1


async def test_an_orphan_is_ended_with_its_drain_too(
    supervisor: ShimSupervisor, root: Path, tmp_path: Path
) -> None:
    """Ending works when the shim is gone: nothing is left running that nobody keeps."""
    started = await supervisor.ensure(a_process(tmp_path))
    assert started.pid is not None
    os.kill(shim_pid(root), signal.SIGKILL)

    await supervisor.end("member-0")

    assert not runs(started.pid)
    assert await supervisor.names() == ()


async def test_ending_lets_a_process_finish_its_work(
    supervisor: ShimSupervisor, tmp_path: Path
) -> None:
    """SIGTERM comes first, and what the process does then is waited for."""
    program = (
        "import signal, sys, time, pathlib\n"
        "def leave(*_):\n"
        "    time.sleep(0.2)\n"
        "    pathlib.Path('drained').touch()\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, leave)\n"
        "pathlib.Path('ready').touch()\n"
        "while True: time.sleep(600)"
    )
    await supervisor.ensure(a_process(tmp_path, program))
    await until((tmp_path / "ready").exists)

    await supervisor.end("member-0")

    assert (tmp_path / "drained").exists()


async def test_what_does_not_end_in_its_drain_is_killed_with_all_it_started(
    supervisor: ShimSupervisor, tmp_path: Path
) -> None:
    """A process that ignores SIGTERM keeps neither itself nor its workers."""
    program = (
        "import os, signal, time, pathlib\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "worker = os.fork()\n"
        "if worker: pathlib.Path('worker.new').write_text(str(worker));"
        " os.replace('worker.new', 'worker')\n"
        "while True: time.sleep(600)"
    )
    status = await supervisor.ensure(a_process(tmp_path, program, drain_seconds=0.1))
    await until((tmp_path / "worker").exists)
    worker = int((tmp_path / "worker").read_text())

    await supervisor.end("member-0")

    assert status.pid is not None and not runs(status.pid)
    await until(lambda: not runs(worker))


async def test_workers_of_a_dead_process_do_not_keep_its_port(
    supervisor: ShimSupervisor, tmp_path: Path
) -> None:
    """The next start finds what the last one held given back."""
    program = (
        "import os, time, pathlib\n"
        "worker = os.fork()\n"
        "if worker: pathlib.Path('worker.new').write_text(str(worker));"
        " os.replace('worker.new', 'worker')\n"
        "while True: time.sleep(600)"
    )
    status = await supervisor.ensure(a_process(tmp_path, program))
    await until((tmp_path / "worker").exists)
    worker = int((tmp_path / "worker").read_text())
    assert status.pid is not None

    os.kill(status.pid, signal.SIGKILL)

    await until(lambda: not runs(worker))


async def test_a_recycled_pid_is_never_signalled(
    supervisor: ShimSupervisor, root: Path, tmp_path: Path
) -> None:
    """A pid counts only with its start time: a stranger that got the number is left alone."""
    await supervisor.ensure(a_process(tmp_path))
    path = root / "member-0" / "status.json"
    written = json.loads(path.read_text())
    os.kill(written["shim_pid"], signal.SIGKILL)
    os.kill(written["pid"], signal.SIGKILL)
    await until(lambda: not runs(written["shim_pid"]) and not runs(written["pid"]))
    stranger = subprocess.Popen([*PYTHON, SLEEP])
    try:
        path.write_text(json.dumps(written | {"pid": stranger.pid, "shim_pid": stranger.pid}))

        seen = await supervisor.status("member-0")
        await supervisor.end("member-0")

        assert seen is not None and seen.pid is None
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_a_process_gets_its_own_environment_and_nothing_of_ours(
    supervisor: ShimSupervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's secrets don't travel to workloads."""
    monkeypatch.setenv("SERVER_SECRET", "hidden")
    program = "import os, json; open('env.new', 'w').write(json.dumps(dict(os.environ)))\n" + (
        f"os.replace('env.new', 'env')\n{SLEEP}"
    )

    await supervisor.ensure(a_process(tmp_path, program))

    await until((tmp_path / "env").exists)
    seen = json.loads((tmp_path / "env").read_text())
    assert seen["COLOUR"] == "green"
    assert "SERVER_SECRET" not in seen


async def test_the_log_says_what_the_process_said(
    supervisor: ShimSupervisor, tmp_path: Path
) -> None:
    """A person finds the last words of a process that died."""
    program = "import sys, time; print('last words', file=sys.stderr, flush=True); time.sleep(600)"

    status = await supervisor.ensure(a_process(tmp_path, program))

    await until(lambda: "last words" in status.log_path.read_text())


async def test_signals_that_the_shim_ignores_are_not_ignored_by_its_process(
    supervisor: ShimSupervisor, tmp_path: Path
) -> None:
    """A process starts as from a shell: SIGHUP and SIGINT end it, a closed pipe too."""
    program = (
        "import os\n"
        "lines = open('/proc/self/status').read()\n"
        "open('seen.new', 'w').write(lines); os.replace('seen.new', 'seen')\n"
        f"{SLEEP}"
    )

    await supervisor.ensure(a_process(tmp_path, program))

    await until((tmp_path / "seen").exists)
    lines = (tmp_path / "seen").read_text().splitlines()
    masks = {line.split()[0]: int(line.split()[1], 16) for line in lines if line.startswith("Sig")
             and line.split()[0] != "SigQ:"}  # fmt: skip
    # Python itself ignores SIGPIPE and SIGXFSZ.
    by_python = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
    assert masks["SigIgn:"] == by_python
    assert masks["SigBlk:"] == 0


async def test_a_root_of_any_length_will_do(tmp_path: Path) -> None:
    """Nothing of a shim depends on a path that must fit a socket's 108 bytes."""
    supervisor = ShimSupervisor(tmp_path / ("long" * 40) / ("longer" * 30))

    status = await supervisor.ensure(a_process(tmp_path))

    assert status.pid is not None
    await supervisor.end("member-0")


async def test_a_root_that_can_not_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    """No permission, no folder, no space: said with the path, and nothing is started."""
    (tmp_path / "file").touch()
    supervisor = ShimSupervisor(tmp_path / "file" / "processes")

    with pytest.raises(WorkloadError, match="can't be written"):
        await supervisor.ensure(a_process(tmp_path))


async def test_a_folder_to_run_in_must_exist(supervisor: ShimSupervisor, tmp_path: Path) -> None:
    """What is wrong with the request is said before anything starts."""
    with pytest.raises(WorkloadError, match="is no folder"):
        await supervisor.ensure(a_process(tmp_path / "missing"))

    assert await supervisor.names() == ()


async def test_a_file_that_can_not_be_executed_is_an_error(
    supervisor: ShimSupervisor, tmp_path: Path
) -> None:
    """What only exec finds out is told as well, by the shim."""
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    spec = ProcessSpec(
        name="member-0",
        argv=(str(broken),),
        env={},
        cwd=tmp_path,
        keep_alive=True,
        drain_seconds=1,
    )

    with pytest.raises(WorkloadError, match="No such file"):
        await supervisor.ensure(spec)

    status = await supervisor.status("member-0")
    assert status is not None and status.pid is None


def test_a_full_log_moves_to_its_predecessor(tmp_path: Path) -> None:
    """A chatty process can't fill the disk: at most two files of the limit are kept."""
    (tmp_path / "spec.json").write_text("{}")
    log = tmp_path / "output.log"
    log.write_bytes(b"x" * shim.LOG_LIMIT_BYTES)

    shim.Shim(str(tmp_path)).rotate_log()

    assert log.stat().st_size == 0
    assert (tmp_path / "output.log.1").stat().st_size == shim.LOG_LIMIT_BYTES
