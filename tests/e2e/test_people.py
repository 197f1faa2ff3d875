"""
What people do with the command line, as scripts have it: real processes without a terminal.

Every refusal is looked at twice: that it says what to do with the right exit code, and that nothing was
half done by it.
"""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from command_line import CommandLine
from no_tls import NO_TLS
from running_site import FINAL, Server, Site, until

from tidegate.lab.world import SHOP_DOCUMENT
from tidegate.testing.ports import free_port

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.envoy,
    pytest.mark.timeout(600),
]

DOCUMENT = (
    SHOP_DOCUMENT.partition("health:")[0]
    + """\
health: {{source: envoy, signals: [{{name: errors, kind: errors}}]}}
prove: {{errors: 5pp}}
plan:
  phases:
    - {{name: few, traffic: 20%, bake: 3s, bake_max: 60s}}
    - {{name: everyone, traffic: 100%, bake: 3s, bake_max: 60s, approve: 1 of team-shop}}
  quarantine: 90s
"""
)
NO_SUCH_PACKAGE = """\
version: 1
service: nowhere
owner: you
workload:
  driver: process
  package: tidegate-example-that-nobody-made
  run: "nothing --port {{port}}"
  probe: {{http: /}}
  traffic: {{driver: envoy, listen: "127.0.0.1:{port}"}}
targets: [{{name: here, environment: lab}}]
"""


@dataclass(frozen=True, slots=True)
class Team:
    """A team whose shop serves 1.0.0 to users, in the folder of its tidegate.yaml."""

    site: Site
    server: Server
    cli: CommandLine

    def rollout(self, name: str) -> dict[str, Any]:
        return self._seen(f"/v1/rollouts/{name}?observe=true")

    def rollouts(self) -> list[tuple[str, str, int]]:
        """
        Return every rollout with its state and revision: what a refusal must not change.

        One that is over only changes what it waits for, whenever that comes: its revision isn't told.
        """
        found = self._seen("/v1/rollouts")["rollouts"]
        return [
            (one["id"], one["state"], 0 if one["state"] in FINAL else one["revision"])
            for one in found
        ]

    def _seen(self, path: str) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self.server.token}"}
        answer = httpx.get(f"{self.server.url}{path}", headers=headers, timeout=20, verify=NO_TLS)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    async def comes_to(self, rollout_id: str, *states: str, reason: str | None = None) -> None:
        async def is_there() -> bool:
            found = await self.server.get(f"/v1/rollouts/{rollout_id}")
            waits_so = reason in (None, found["waiting_on"]["reason_code"])
            return found["state"] in states and waits_so

        await until(is_there, f"{rollout_id} to be {' or '.join(states)}", within_seconds=90)

    @asynccontextmanager
    async def started(self, version: str = "1.1.0") -> AsyncIterator[str]:
        """Start a rollout for the block; afterwards 1.0.0 serves everyone again."""
        said = self.cli("start", "--change", f"code={version}", "-o", "name")
        assert said.code == 0, said.err
        try:
            yield said.out.strip()
        finally:
            await self.put_back("shop")

    async def put_back(self, name: str) -> None:
        if self.rollout(name)["state"] in FINAL - {"completed"}:
            return
        said = self.cli("rollback", name, "--yes", "--reason", "the test is over", "-o", "name")
        assert said.code == 0, said.err
        await self.comes_to(said.out.strip(), "rolled_back")


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """One site for all; every test leaves 1.0.0 serving."""
    site = Site(folder=tmp_path_factory.mktemp("people"))
    with pytest.MonkeyPatch.context() as environment:
        # No test here needs a package, and one asks for a package that isn't there.
        environment.setenv("PIP_NO_INDEX", "1")
        try:
            yield asyncio.run(_opened(site))
        finally:
            asyncio.run(site.close())


async def _opened(site: Site) -> Team:
    server = await site.serve()
    (site.folder / "tidegate.yaml").write_text(site.filled(DOCUMENT), encoding="utf-8")
    made = Team(
        site=site, server=server, cli=CommandLine(state_dir=site.state_dir, cwd=site.folder)
    )
    said = made.cli("start", "--change", "code=1.0.0", "-o", "name")
    assert said.code == 0, said.err
    await made.comes_to(said.out.strip(), "completed")
    await site.let_users_come(rate=100)
    return made


# --- a file ----------------------------------------------------------------------------------


def test_a_first_file_is_written_once_and_is_valid(tmp_path: Path) -> None:
    """`init` and `validate` need no server; what is there already isn't overwritten."""
    cli = CommandLine(state_dir=tmp_path / "nothing", cwd=tmp_path)

    made, checked = cli("init", "--service", "shop"), cli("validate", "-o", "json")
    written = (tmp_path / "tidegate.yaml").read_text()
    again = cli("init", "--service", "other")

    assert (made.code, checked.code) == (0, 0)
    assert checked.json()["valid"]
    assert again.code == 2
    assert "there already" in again.err
    assert (tmp_path / "tidegate.yaml").read_text() == written
    assert not (tmp_path / "nothing").exists()


def test_everything_wrong_in_a_file_is_told_with_its_place(team: Team, tmp_path: Path) -> None:
    """Each problem has file, line, column and a fix; `start` refuses the same, and nothing begins."""
    text = team.site.filled(DOCUMENT)
    wrong = text.replace("members: 2", "member: 2").replace("bake: 3s", "bake: three", 1)
    (tmp_path / "tidegate.yaml").write_text(wrong, encoding="utf-8")
    cli = CommandLine(state_dir=team.site.state_dir, cwd=tmp_path)
    before = team.rollouts()

    checked, started = cli("validate"), cli("start", "--change", "code=1.1.0")

    places = re.findall(r"^tidegate\.yaml:(\d+):(\d+): ", checked.out, re.MULTILINE)
    lines = wrong.splitlines()
    assert checked.code == 2
    assert [lines[int(line) - 1][int(column) - 1 :][:6] for line, column in places] == [
        "member",
        "three,",
    ]
    assert "did you mean `members`?" in checked.out
    assert started.code == 2
    assert started.out == ""
    assert team.rollouts() == before


# --- a plan ----------------------------------------------------------------------------------


def test_a_plan_shows_what_would_happen_and_changes_nothing(team: Team, tmp_path: Path) -> None:
    """As text, as JSON and resolved; the last needs no server."""
    before = team.rollouts()
    alone = CommandLine(state_dir=tmp_path / "nothing", cwd=team.site.folder)

    text = team.cli("plan", "--change", "code=1.1.0")
    document = team.cli("plan", "--change", "code=1.1.0", "-o", "json").json()
    changes = team.cli("plan", "--change", "code=1.1.0", "--detailed-exitcode")
    resolved = alone("plan", "--resolved", "-o", "json")

    assert text.code == 0
    assert "few" in text.out
    assert f"--plan {document['plan_hash'][:19]}" in text.out
    assert [phase["name"] for phase in document["phases"]] == ["few", "everyone"]
    assert changes.code == 10
    assert resolved.code == 0
    assert resolved.json()["service"] == "shop"
    assert team.rollouts() == before


async def test_the_command_line_and_the_api_start_the_same_plan(team: Team) -> None:
    """What was planned is what starts, whoever starts it; an older plan is refused."""
    planned = team.cli("plan", "--change", "code=1.1.0", "-o", "json").json()["plan_hash"]

    async with team.started("1.1.0") as rollout_id:
        by_command_line = team.rollout(rollout_id)["plan_hash"]
    rollout_id = await team.site.start(team.server, "1.1.0", DOCUMENT)
    by_api = team.rollout(rollout_id)["plan_hash"]
    await team.put_back(rollout_id)
    refused = team.cli("start", "--change", "code=1.1.1", "--plan", planned)

    assert planned == by_command_line == by_api
    assert refused.code == 6
    assert "plan again" in refused.err
    assert team.rollout("shop")["id"] == rollout_id


# --- a rollout -------------------------------------------------------------------------------


async def test_a_phase_waits_for_its_approval_and_watching_ends_with_the_rollout(
    team: Team,
) -> None:
    """Nobody is added before somebody agreed; `watch` ends by itself, one JSON document a line."""
    file = team.site.folder / "tidegate.yaml"
    usual = file.read_text(encoding="utf-8")
    # Long enough for a command to look at it, however slow the machine.
    file.write_text(usual.replace("bake: 3s", "bake: 20s"))
    async with team.started() as rollout_id:
        too_early = team.cli("watch", rollout_id, "--timeout", "1s", "-o", "name")
        await team.comes_to(rollout_id, "waiting", reason="approval")
        waiting = team.rollout(rollout_id)
        own = team.cli("approve", rollout_id)
        approved = team.cli(
            *("approve", rollout_id, "--comment", "looks good", "-o", "json"), LOGNAME="carol"
        )
        watched = team.cli("watch", rollout_id, "-o", "jsonl", "--timeout", "90s")
        ended = team.rollout(rollout_id)
        once_more = team.cli("approve", rollout_id)

    file.write_text(usual, encoding="utf-8")
    assert too_early.code == 8
    assert waiting["exposure"][0]["set_bps"] == 2000
    assert waiting["waiting_on"]["who_can_act"] == "approver"
    assert (waiting["approvals"]["name"], waiting["approvals"]["needed"]) == ("everyone", 1)
    assert own.code == 4
    assert "own change" in own.err
    assert approved.code == 0
    assert watched.code == 0
    lines = [json.loads(line) for line in watched.out.splitlines()]
    assert lines[-1]["rollout"]["state"] == "completed"
    assert {line["schema_version"] for line in lines} == {1}
    assert ended["exposure"][0]["serving"]["name"] == "1.1.0"
    assert once_more.code == 6


async def test_a_halt_asks_nothing_and_going_on_needs_a_reason(team: Team) -> None:
    """Nobody meets the candidate after a halt; what is refused afterwards leaves it so."""
    async with team.started() as rollout_id:
        await team.comes_to(rollout_id, "baking")

        halted = team.cli("halt", rollout_id, "-o", "json")
        await team.comes_to(rollout_id, "halted", reason="person_after_halt")
        before = team.rollouts()
        silent = team.cli("resume", rollout_id)
        stale = team.cli("resume", rollout_id, "--reason", "I know", "--at", "1@1")
        unasked = team.cli("rollback", rollout_id)
        between = team.rollouts()
        resumed = team.cli("resume", rollout_id, "--reason", "a false alarm", "-o", "json")
        await team.comes_to(rollout_id, "baking", "waiting")

    assert halted.code == 0
    assert halted.json()["state"] in ("halted", "recovering")
    assert halted.json()["exposure"][0]["actual_bps"] == 0
    assert silent.code == 2
    assert "resume needs a reason" in silent.err
    assert stale.code == 7
    assert "look again" in stale.err
    assert unasked.code == 2
    assert "--yes" in unasked.err
    assert between == before
    assert resumed.code == 0
    assert resumed.json()["attempt"] == 2


async def test_a_second_rollout_of_a_service_is_queued_and_can_be_taken_out(team: Team) -> None:
    """It is told which one it waits for; taking it out leaves that one untouched."""
    async with team.started("1.1.0") as rollout_id:
        queued = team.cli("start", "--change", "code=1.2.0")
        second = queued.out.split()[1]
        out = team.cli("halt", second, "--reason", "not today")
        states = {one: state for one, state, _ in team.rollouts()}

    assert queued.code == 0
    assert f"it waits for rollout {rollout_id}" in queued.out
    assert out.code == 0, out.err
    assert states[second] == "abandoned"
    assert states[rollout_id] not in ("halted", "recovering", "rolled_back")


def test_the_status_is_one_document_for_programs(team: Team) -> None:
    """What `-o json` prints has its schema's version; names come one a line."""
    listed = team.cli("status", "-o", "json").json()
    one = team.cli("status", "shop", "-o", "json").json()
    names = team.cli("status", "-o", "name").out.split()

    assert listed["schema_version"] == one["schema_version"] == 1
    assert [rollout["id"] for rollout in listed["rollouts"]] == names
    assert (one["service"], one["id"]) == ("shop", names[0])


# --- what isn't there ------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["status", "watch", "why", "halt", "approve"])
def test_an_unknown_rollout_or_service_is_told(team: Team, verb: str) -> None:
    """The exit code is that of wrong usage, and the name is in the message."""
    before = team.rollouts()

    said = team.cli(verb, "no-such-thing")

    assert said.code == 2
    assert "'no-such-thing'" in said.err
    assert said.out == ""
    assert team.rollouts() == before


@pytest.mark.parametrize("change", ["code=1.0.0", f"code=1.1.0@sha256:{'0' * 64}", "data=1.1.0"])
def test_a_change_that_makes_no_sense_is_refused(team: Team, change: str) -> None:
    """What is served already, another content than was meant, a component that isn't there."""
    before = team.rollouts()

    said = team.cli("start", "--change", change)

    assert said.code == (6 if change == "code=1.0.0" else 2)
    assert said.err.count("\n") >= 2
    assert team.rollouts() == before


def test_a_version_that_does_not_exist_is_refused_at_the_start(team: Team, tmp_path: Path) -> None:
    """The package index is asked before anything is recorded or started."""
    file = tmp_path / "tidegate.yaml"
    file.write_text(NO_SUCH_PACKAGE.format(port=free_port()), encoding="utf-8")
    before = team.rollouts()

    said = team.cli("start", "-f", str(file), "--change", "code=9.9.9")
    unknown = team.cli("status", "nowhere")

    assert said.code == 2
    assert "9.9.9" in said.err
    assert unknown.code == 2
    assert team.rollouts() == before


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Neither an empty state folder nor a dead address is mistaken for anything else."""
    cli = CommandLine(state_dir=tmp_path / "state", cwd=tmp_path)
    dead = f"http://127.0.0.1:{free_port()}"

    nobody, gone = cli("status"), cli("halt", "shop", "--url", dead, "--token", "any")

    assert nobody.code == 1
    assert "tidegate server run" in nobody.err
    assert gone.code == 1
    assert dead in gone.err
    assert not (tmp_path / "state").exists()


def test_another_token_opens_nothing(team: Team) -> None:
    """Without the right token nothing is shown and nothing is stopped."""
    before = team.rollouts()

    said = team.cli("halt", "shop", "--token", "guessed")

    assert said.code == 4
    assert said.out == ""
    assert team.rollouts() == before


# --- a server that can't start ---------------------------------------------------------------


def test_a_server_whose_port_is_taken_starts_nothing(tmp_path: Path) -> None:
    """It says so and ends; it leaves no address behind that commands would follow."""
    cli = CommandLine(state_dir=tmp_path / "state", cwd=tmp_path)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = cli("server", "run", "--port", str(port))

    assert said.code == 1
    assert f"port {port}" in said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "state" / "server.json").exists()


@pytest.mark.parametrize("way", ["below a file", "without permission"])
def test_a_state_folder_that_cannot_be_written_is_told(tmp_path: Path, way: str) -> None:
    """It says which folder and which setting to change; nothing is made elsewhere."""
    folder = tmp_path / "taken"
    if way == "below a file":
        folder.write_text("not a folder")
    else:
        if os.geteuid() == 0:
            pytest.skip("root may write everywhere")
        folder.mkdir(mode=0o500)
    cli = CommandLine(state_dir=folder / "state", cwd=tmp_path)

    said = cli("server", "run", "--port", "0")

    assert said.code == 1
    assert str(folder / "state") in said.err
    assert "TIDEGATE_STATE_DIR" in said.err
    assert "Traceback" not in said.err
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["taken"]


def test_leaving_a_watch_leaves_the_rollout(team: Team) -> None:
    """Ctrl-C of `watch` says how to stop the rollout and doesn't stop it."""
    said = team.cli("start", "--change", "code=1.1.0", "-o", "name")
    rollout_id = said.out.strip()

    with subprocess.Popen(
        [sys.executable, "-m", "tidegate.cli.app", "watch", rollout_id, "-o", "jsonl"],
        cwd=team.site.folder,
        env={**os.environ, "TIDEGATE_STATE_DIR": str(team.site.state_dir)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        first = json.loads(watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
        _, told = watching.communicate(timeout=30)
    after = team.rollout(rollout_id)
    asyncio.run(team.put_back(rollout_id))

    assert first["rollout"]["id"] == rollout_id
    assert watching.returncode == 8
    assert f"tidegate halt {rollout_id}" in told
    assert after["halt"] is None
