"""
What every process supervisor promises, as tests. Third parties run it against theirs too.

Subclass it, override the fixtures, and say in `crash` how a process is made to end by itself. No
test here may ask which supervisor it runs on.
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tidegate.errors import WorkloadError
from tidegate.ports.processes import ProcessSpec, ProcessStatus, ProcessSupervisor

WITHIN_SECONDS = 30.0
"""A deadline for things that take milliseconds, generous for a machine under load."""


class ProcessSupervisorContract:
    """Tests that hold for every supervisor."""

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], ProcessSupervisor]:
        """Return a way to open a supervisor anew on the same processes, as a new server does."""
        raise NotImplementedError

    @pytest.fixture
    def no_program(self, supervisor: ProcessSupervisor) -> str:
        """Return the name of a program that doesn't exist."""
        raise NotImplementedError

    async def crash(self, supervisor: ProcessSupervisor, name: str) -> None:
        """Make the process end by itself."""
        raise NotImplementedError

    @pytest.fixture
    def supervisor(self, reopen: Callable[[], ProcessSupervisor]) -> ProcessSupervisor:
        """Return the supervisor under test."""
        return reopen()

    @pytest.fixture
    def spec(self, tmp_path: Path) -> ProcessSpec:
        """Return a process that runs until it is ended."""
        return ProcessSpec(
            name="sleeper-1",
            argv=(sys.executable, "-S", "-E", "-c", "import time; time.sleep(600)"),
            env={"PATH": "/usr/bin:/bin"},
            cwd=tmp_path,
            keep_alive=True,
            drain_seconds=5.0,
        )

    async def test_ensuring_twice_starts_one_process(
        self, supervisor: ProcessSupervisor, spec: ProcessSpec
    ) -> None:
        """A retried step is harmless."""
        first = await supervisor.ensure(spec)

        second = await supervisor.ensure(spec)

        assert first.pid is not None
        assert second.pid == first.pid
        assert await supervisor.names() == (spec.name,)
        assert second.argv == spec.argv

    async def test_two_who_ensure_at_once_start_one_process(
        self, reopen: Callable[[], ProcessSupervisor], spec: ProcessSpec
    ) -> None:
        """A server that is started while the old one still works can't double a member."""
        statuses = await asyncio.gather(*(reopen().ensure(spec) for _ in range(4)))

        assert len({status.pid for status in statuses}) == 1

    async def test_a_new_supervisor_adopts_what_runs(
        self,
        supervisor: ProcessSupervisor,
        reopen: Callable[[], ProcessSupervisor],
        spec: ProcessSpec,
    ) -> None:
        """The truth is outside: a restarted server sees and controls the same processes."""
        started = await supervisor.ensure(spec)

        adopted = await reopen().status(spec.name)

        assert adopted is not None
        assert adopted.pid == started.pid
        await reopen().end(spec.name)
        assert await supervisor.status(spec.name) is None

    async def test_refuses_another_command_under_the_same_name(
        self, supervisor: ProcessSupervisor, spec: ProcessSpec
    ) -> None:
        """A caller never takes another command for the one it asked for."""
        started = await supervisor.ensure(spec)

        with pytest.raises(WorkloadError, match="another command"):
            await supervisor.ensure(replace(spec, argv=(*spec.argv, "more")))

        assert await supervisor.status(spec.name) == started

    async def test_an_unknown_name_has_no_status_and_can_be_ended(
        self, supervisor: ProcessSupervisor
    ) -> None:
        """Asking and ending are always safe."""
        status = await supervisor.status("nobody")

        await supervisor.end("nobody")
        assert status is None
        assert await supervisor.names() == ()

    async def test_ending_forgets_the_name(
        self, supervisor: ProcessSupervisor, spec: ProcessSpec
    ) -> None:
        """What was ended isn't there any more, and may be ended again."""
        await supervisor.ensure(spec)

        await supervisor.end(spec.name)
        await supervisor.end(spec.name)

        assert await supervisor.status(spec.name) is None
        assert await supervisor.names() == ()

    @pytest.mark.parametrize(
        "after_seconds", [0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.1]
    )
    async def test_a_start_that_is_given_up_is_ended_with_all_the_others(
        self, supervisor: ProcessSupervisor, spec: ProcessSpec, after_seconds: float
    ) -> None:
        """A server that ends in the middle of a start leaves no process that nobody knows of."""
        starting = asyncio.create_task(supervisor.ensure(spec))
        await asyncio.sleep(after_seconds)
        starting.cancel()
        await asyncio.wait({starting})

        for name in await supervisor.names():
            await supervisor.end(name)

        # What had been under way would show by now.
        await asyncio.sleep(0.3)
        assert await supervisor.status(spec.name) is None
        assert await supervisor.names() == ()

    async def test_an_ended_name_can_be_started_anew(
        self, supervisor: ProcessSupervisor, spec: ProcessSpec
    ) -> None:
        """A name carries nothing over from the process that had it before."""
        first = await supervisor.ensure(spec)
        await self.crash(supervisor, spec.name)
        await supervisor.end(spec.name)

        again = await supervisor.ensure(replace(spec, argv=(*spec.argv, "more")))

        assert again.pid not in (None, first.pid)
        assert (again.restarts, again.last_exit) == (0, None)

    async def test_a_process_that_ends_by_itself_is_started_again(
        self, supervisor: ProcessSupervisor, spec: ProcessSpec
    ) -> None:
        """Keep-alive keeps alive, and tells how often and why it had to."""
        started = await supervisor.ensure(spec)

        await self.crash(supervisor, spec.name)

        status = await self.until(
            supervisor, spec.name, lambda seen: seen.pid not in (None, started.pid)
        )
        assert status.restarts == 1
        assert status.last_exit == -9

    async def test_without_keep_alive_the_end_is_final_until_ensured_again(
        self, supervisor: ProcessSupervisor, spec: ProcessSpec
    ) -> None:
        """A job that ended stays ended, with its exit status to be read."""
        spec = replace(spec, keep_alive=False)
        await supervisor.ensure(spec)
        await self.crash(supervisor, spec.name)
        ended = await self.until(supervisor, spec.name, lambda seen: seen.pid is None)

        again = await supervisor.ensure(spec)

        assert ended.last_exit == -9
        assert again.pid is not None

    async def test_a_program_that_does_not_exist_is_an_error_that_names_it(
        self, supervisor: ProcessSupervisor, spec: ProcessSpec, no_program: str
    ) -> None:
        """A person can see at once what to correct, and nothing is left behind."""
        spec = replace(spec, argv=(no_program, "--port", "1"))

        with pytest.raises(WorkloadError, match=no_program):
            await supervisor.ensure(spec)

        assert await supervisor.status(spec.name) is None

    async def until(
        self,
        supervisor: ProcessSupervisor,
        name: str,
        holds: Callable[[ProcessStatus], bool],
    ) -> ProcessStatus:
        """Return the first status of *name* for which *holds* is true."""
        async with asyncio.timeout(WITHIN_SECONDS):
            while True:
                status = await supervisor.status(name)
                if status is not None and holds(status):
                    return status
                await asyncio.sleep(0.01)
