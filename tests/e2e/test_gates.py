"""
Gates on a running server: a change waits until each is green, over a restart, and for what it is alone.

A real server, real files, the command line as a pipeline has it. The change is a document, so nothing of a
proxy is in here.
"""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine
from config_fleet import Fleet
from running_site import Server, Site, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
]

DOCUMENT = """\
version: 1
service: words
owner: team-words
components:
  greeting: {driver: file, path: v1.json, dir: consumers}
targets: [{name: here, environment: lab}]
health:
  source: openmetrics
  signals: [{name: errors, kind: errors, metric: http_requests_total, bad: 'code=~"5.."'}]
prove: {errors: 5pp}
plan:
  phases: [{name: wave, traffic: [50%, 100%], bake: 3s, bake_max: 60s}]
  apply_within: 6s
  quarantine: 60s
gates:
  before_start: [digest, {backup: 24h}]
  before_phase: [no-incident]
"""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A state folder without a server yet."""
    made = Site(folder=tmp_path / "site")
    made.folder.mkdir()
    try:
        yield made
    finally:
        await made.close()


def write(folder: Path, name: str, **document: object) -> None:
    (folder / name).write_text(json.dumps(document), encoding="utf-8")


def a_backup(folder: Path) -> str:
    now = datetime.now(UTC)
    write(
        folder,
        "backup.json",
        taken_at=(now - timedelta(hours=2)).isoformat(),
        restore_tested_at=(now - timedelta(days=9)).isoformat(),
    )
    return "backup.json"


async def comes_to(server: Server, rollout_id: str, state: str) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    async def is_there() -> bool:
        seen.update(await server.get(f"/v1/rollouts/{rollout_id}"))
        return bool(seen["state"] == state)

    await until(is_there, f"{rollout_id} to be {state}", within_seconds=60)
    return seen


async def stands(server: Server, gate: str, state: str) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    async def is_so() -> bool:
        found = await server.get("/v1/rollouts/words/gates")
        seen.update({one["name"]: one for one in found["gates"]}[gate])
        return bool(seen["state"] == state)

    await until(is_so, f"gate {gate} to be {state}", within_seconds=30)
    return seen


async def test_a_change_waits_for_its_gates_and_for_nothing_of_another(
    site: Site, tmp_path: Path
) -> None:
    """Unknown until it is told, over a `kill -9`; then it goes on; and a moved artifact is red."""
    server = await site.serve()
    cli = CommandLine(state_dir=site.state_dir, cwd=tmp_path)
    fleet = Fleet(folder=tmp_path / "consumers")
    (tmp_path / "tidegate.yaml").write_text(DOCUMENT, encoding="utf-8")
    write(tmp_path, "v1.json", words="hello")
    try:
        fleet.start(4)
        first = cli("start", "--change", "greeting=v1.json", "-o", "name").out.strip()
        waits = await stands(server, "backup", "unknown")
        assert "nothing was submitted" in waits["because"]
        assert (await stands(server, "digest", "green"))["facts"]["greeting"].startswith("sha256:")

        server.kill()
        server = await site.serve()
        held = cli("gate", "list", first)
        assert (held.code, fleet.serving("words", "hello")) == (6, set())

        given = cli("gate", "submit", "words", "backup", a_backup(tmp_path))
        assert given.code == 0, given.err
        assert f"looked at now: rollout {first}" in given.out
        await comes_to(server, first, "completed")

        write(tmp_path, "v2.json", words="good day")
        second = cli("start", "--change", "greeting=v2.json", "-o", "name").out.strip()
        assert "nothing was submitted" in (await stands(server, "backup", "unknown"))["because"]
        write(tmp_path, "v2.json", words="something else")
        assert cli("gate", "check", second).code == 6
        moved = await stands(server, "digest", "red")
        cli("gate", "submit", "words", "backup", "backup.json")
        await stands(server, "backup", "green")

        told = cli("why", second)
        assert "is another artifact by now" in moved["because"]
        assert "digest is red" in told.out.replace("\n", " ")
        assert fleet.serving("words", "something else") == set()
        assert fleet.serving("words", "good day") == set()
    finally:
        fleet.stop()
