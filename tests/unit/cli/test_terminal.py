"""At a terminal: questions, redrawing, and leaving with Ctrl-C. Real processes, real terminals."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from served_world import WITHIN_SECONDS, Server

from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State
from tidegate.testing.memory_world import DOCUMENT
from tidegate.usecases.halt import halt_rollout

PROGRAM = (sys.executable, "-c", "from tidegate.cli.app import main; main()")


class Terminal:
    """A command that runs at a terminal: what it has shown so far, and a keyboard."""

    def __init__(self, master: int, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.shown = ""
        self._master = master

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def wait_for(self, text: str) -> None:
        """Return when *text* was shown."""
        deadline = time.monotonic() + WITHIN_SECONDS
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} wasn't shown in: {self.shown}"
            if not self._read():
                break
        assert text in self.shown

    def exit_code(self) -> int:
        """Return the exit code when the command has ended."""
        while self._read():
            pass
        return self.process.wait(WITHIN_SECONDS)

    def _read(self) -> bool:
        readable, _, _ = select.select([self._master], [], [], WITHIN_SECONDS)
        assert readable, f"nothing more was shown after: {self.shown}"
        try:
            chunk = os.read(self._master, 65536)
        except OSError:
            # The other side of the terminal is closed: the command has ended.
            return False
        self.shown += chunk.decode("utf-8", "replace")
        return bool(chunk)


@contextmanager
def terminal(*arguments: str) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    process = subprocess.Popen(
        [*PROGRAM, *arguments], stdin=slave, stdout=slave, stderr=slave, env=environment
    )
    os.close(slave)
    try:
        yield Terminal(master, process)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(WITHIN_SECONDS)
        os.close(master)


@pytest.mark.parametrize(("answer", "code", "state"), [("y", 0, "recovering"), ("n", 2, "halted")])
def test_rollback_asks_a_person_and_does_what_they_say(
    server: Server, answer: str, code: int, state: str
) -> None:
    """The question says from what to what; only a yes goes on."""
    rollout = server.baking()
    server.do(halt_rollout(server.world.outside, rollout.id, actor="bob", reason=""))
    server.turns(rollout)

    with terminal("rollback", rollout.id) as asked:
        asked.wait_for("[y/N]")
        asked.type(f"{answer}\n")
        ended = asked.exit_code()

    assert "Roll shop back, code 1.1.0 to 1.0.0?" in asked.shown
    assert ended == code
    assert server.world.rollout(rollout.id).state.value == state


def test_approve_shows_what_is_approved_before_it_asks(server: Server) -> None:
    """Phase, exposure and whose approval it is stand before the question."""
    rollout = server.awaiting_approval()

    with terminal("approve", rollout.id) as asked:
        asked.wait_for("[y/N]")
        asked.type("y\n")
        ended = asked.exit_code()

    assert "next   half: 50%" in asked.shown
    assert "yours  is 1 of 1 (team-release)" in asked.shown
    assert ended == 0
    assert len(server.world.rollout(rollout.id).approvals) == 1


def test_halt_asks_nothing_at_a_terminal_either(server: Server) -> None:
    """There is nothing to type between the command and the stop."""
    rollout = server.baking()

    with terminal("halt", rollout.id) as halted:
        ended = halted.exit_code()

    assert ended == 0
    assert server.world.rollout(rollout.id).state is State.HALTED


def test_watch_redraws_until_the_end(server: Server) -> None:
    """At a terminal the picture is drawn anew with what has changed, and the exit code is the end's."""
    rollout = server.baking()

    with terminal("watch", rollout.id) as watched:
        watched.wait_for("Ctrl-C leaves")
        server.run(rollout, State.ROLLED_BACK, failing={Arm.CANDIDATE: 0.5})
        ended = watched.exit_code()

    assert ended == 5
    assert "baking" in watched.shown
    assert "rolled back" in watched.shown
    assert "harm proven" in watched.shown


def test_ctrl_c_leaves_and_the_rollout_goes_on(server: Server) -> None:
    """Leaving is exit 8, with the command that would stop it; the rollout isn't touched."""
    rollout = server.baking()

    with terminal("watch", rollout.id) as watched:
        watched.wait_for("Ctrl-C leaves")
        watched.process.send_signal(signal.SIGINT)
        ended = watched.exit_code()

    assert ended == 8
    assert f"left; rollout {rollout.id} goes on" in watched.shown
    assert server.world.rollout(rollout.id) == rollout


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 2)])
def test_a_plan_is_adopted_after_its_figures_and_the_difference(
    shop: Path, answer: str, code: int
) -> None:
    """Both stand above the question; a no leaves the file as it was."""
    words = ("--adopt", "lab", "--runs", "1", "--scenario", "bad-config")

    with terminal("simulate", *words) as asked:
        asked.wait_for("[y/N]")
        asked.type(f"{answer}\n")
        ended = asked.exit_code()

    before = asked.shown.partition("Write ")[0]
    assert "plan main" in before
    assert "+plan: lab" in before
    assert ended == code
    assert (shop.read_text() == DOCUMENT) is (answer == "n")
