"""
The whole way as people go it: log in, propose, be refused one's own approval, hurry, owe, and settle.

A real server that believes only its identity provider, a real provider, real files, and five people and a
pipeline with the command line. What is changed is a document, so nothing of a proxy is in here.
"""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, Said
from config_fleet import Fleet
from oidc_provider import Provider, a_provider
from person import Person
from running_site import Server, Site, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
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
  phases:
    - {name: some, traffic: 50%, bake: 12s, bake_max: 180s}
    - {name: all, traffic: 100%, bake: 12s, bake_max: 180s, approve: 1 of team-release}
  apply_within: 20s
  quarantine: 60s
gates:
  before_start: [sarif]
"""

POLICY = """\
version: 1
people:
  bob: {groups: [team-release]}
  alice: {groups: [team-release]}
emergency:
  security:
    criteria: cve.score >= 9
    authorise: 2 of [incident-commander]
    bakes: {divide_by: 6, floor: 2s}
    out_of_band: [sarif]
    debts: {due: 20s}
"""

ROLES = {
    "alice": ("developer", "approver"),
    "bob": ("approver",),
    "carol": ("incident-commander",),
    "dave": ("incident-commander", "operator"),
    "erin": ("policy-editor", "auditor"),
}
SCOPE = "default/default/lab"


@dataclass(frozen=True, slots=True)
class Cast:
    """Who acts. `root` holds the server's own token; the pipeline has one of its own."""

    root: CommandLine
    people: dict[str, Person]
    ci: CommandLine
    token: str

    def pipeline(self, *words: str) -> Said:
        """Run a command as the pipeline."""
        return self.ci(*words, TIDEGATE_TOKEN=self.token)

    def does(self, who: str, *words: str, code: int = 0) -> str:
        """Let *who* run a command that must end with *code*; return all that it said."""
        ended, said = self.people[who].run(*words)
        assert ended == code, f"{who}: tidegate {' '.join(words)} -> {ended}\n{said}"
        return said


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """Run a provider with everybody in it; servers of this test believe it and nothing else."""
    secret = tmp_path / "client-secret"
    secret.write_text("a-secret-of-the-server\n")
    with a_provider() as running:
        for name in ROLES:
            running.add(f"sub-{name}", preferred_username=name)
        monkeypatch.setenv("TIDEGATE_OIDC_ISSUER", running.issuer)
        monkeypatch.setenv("TIDEGATE_OIDC_CLIENT_SECRET_FILE", str(secret))
        monkeypatch.setenv("TIDEGATE_OIDC_PERSON_CLAIM", "preferred_username")
        monkeypatch.setenv("TIDEGATE_IDENTITY", "verified")
        yield running


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A state folder without a server yet."""
    made = Site(folder=tmp_path / "site")
    made.folder.mkdir()
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Four consumers of the document."""
    made = Fleet(folder=tmp_path / "consumers")
    made.start(4)
    try:
        yield made
    finally:
        made.stop()


def write(folder: Path, name: str, document: dict[str, Any]) -> None:
    (folder / name).write_text(json.dumps(document), encoding="utf-8")


def a_scan(*, findings: int) -> dict[str, Any]:
    """Return a SARIF log with so many severe findings that are new."""
    finding = {
        "ruleId": "words/overflow",
        "level": "error",
        "baselineState": "new",
        "message": {"text": "a greeting that is too long"},
    }
    run = {
        "tool": {"driver": {"name": "words-scanner", "rules": [{"id": "words/overflow"}]}},
        "invocations": [{"executionSuccessful": True}],
        "results": [finding] * findings,
    }
    return {"version": "2.1.0", "runs": [run]}


async def comes_to(server: Server, rollout_id: str, state: str) -> dict[str, Any]:
    seen: dict[str, Any] = {}

    async def is_there() -> bool:
        seen.update(await server.get(f"/v1/rollouts/{rollout_id}"))
        return bool(seen["state"] == state)

    try:
        await until(is_there, f"{rollout_id} to be {state}", within_seconds=120)
    except AssertionError as exc:
        raise AssertionError(f"{exc}; it is {seen['state']}: {seen['waiting_on']}") from exc
    return seen


async def is_overdue(server: Server) -> None:
    """Wait until some debt is overdue: what starts before that isn't stopped by it."""

    async def is_so() -> bool:
        return any(debt["is_overdue"] for debt in (await server.get("/v1/debts"))["debts"])

    await until(is_so, "a debt to be overdue", within_seconds=90)


async def waits_for(server: Server, rollout_id: str, reason: str, words: str = "") -> str:
    seen: dict[str, Any] = {}

    async def is_so() -> bool:
        seen.update((await server.get(f"/v1/rollouts/{rollout_id}"))["waiting_on"])
        return bool(seen["reason_code"] == reason and words in seen["detail"])

    try:
        await until(is_so, f"{rollout_id} to wait for {reason} ({words})", within_seconds=90)
    except AssertionError as exc:
        raise AssertionError(f"{exc}; it waits for {seen}") from exc
    return str(seen["detail"])


async def the_cast(site: Site, server: Server, provider: Provider, folder: Path) -> Cast:
    """Give everybody their role, and let them log in."""
    root = CommandLine(state_dir=site.state_dir, cwd=folder)
    grants = [(f"person:{name}", role) for name, roles in ROLES.items() for role in roles]
    for subject, role in (*grants, ("program:ci", "pipeline")):
        scope = "default" if role in ("policy-editor", "auditor") else SCOPE
        given = {"subject": subject, "role": role, "scope": scope, "reason": "the team"}
        await server.post("/v1/access/grants", given)
    people = {}
    for name in ROLES:
        people[name] = Person(server, folder / "homes" / name, cwd=folder)
        ended, said = people[name].log_in(provider, f"sub-{name}")
        assert ended == 0, said
    issued = root(
        *("auth", "token", "issue", "--program", "ci", "--owner", "alice", "--for", "scans"),
        *("--allow", "submit_evidence", "--allow", "read", "-o", "json"),
    )
    assert issued.code == 0, issued.err
    return Cast(root=root, people=people, ci=root, token=issued.json()["secret"])


def scanned(cast: Cast, folder: Path, version: str, *, findings: int = 0) -> None:
    """Let the pipeline give the gate a scan of *version*."""
    write(folder, "scan.sarif", a_scan(findings=findings))
    given = cast.pipeline(
        *("gate", "submit", "words", "sarif", "scan.sarif", "--change", f"greeting={version}")
    )
    assert given.code == 0, given.err


async def test_the_whole_way(site: Site, provider: Provider, fleet: Fleet, tmp_path: Path) -> None:
    """From logging in to a debt that is settled; each refusal where it belongs."""
    server = await site.serve()
    (tmp_path / "tidegate.yaml").write_text(DOCUMENT, encoding="utf-8")
    (tmp_path / "tidegate-org.yaml").write_text(POLICY, encoding="utf-8")
    for number in range(1, 5):
        write(tmp_path, f"v{number}.json", {"words": f"hello {number}"})
    cast = await the_cast(site, server, provider, tmp_path)
    cast.does("erin", "policy", "apply", "--yes", "--reason", "our rules")
    first = cast.does("alice", "start", "--change", "greeting=v1.json", "-o", "name").strip()
    scanned(cast, tmp_path, "v1.json")
    await comes_to(server, first, "completed")

    await _own_change_and_a_moved_artifact(cast, server, tmp_path)
    hurried = await _an_emergency_that_turns_out_red(cast, server, fleet, tmp_path)
    await _what_is_owed_blocks_until_it_is_settled(cast, server, tmp_path, hurried)


async def _own_change_and_a_moved_artifact(cast: Cast, server: Server, folder: Path) -> None:
    # Long enough for four commands, however slow the machine: the artifact must move before the end.
    (folder / "tidegate.yaml").write_text(DOCUMENT.replace("bake: 12s", "bake: 40s"))
    second = cast.does("alice", "start", "--change", "greeting=v2.json", "-o", "name").strip()
    await waits_for(server, second, "gate", "sarif")
    scanned(cast, folder, "v2.json")
    await comes_to(server, second, "baking")
    refused = cast.does("alice", "approve", second, "--comment", "mine is fine", code=4)
    assert "own" in refused or "alice" in refused
    cast.does("carol", "approve", second, "--comment", "in a hurry", code=4)
    cast.does("bob", "approve", second, "--comment", "read it")

    write(folder, "v2.json", {"words": "something that bob never read"})
    lapsed = await waits_for(server, second, "approval", "doesn't count")
    assert "bob" in lapsed
    cast.does("alice", "rollback", second, "--yes", "--reason", "the artifact moved")
    await comes_to(server, second, "rolled_back")
    (folder / "tidegate.yaml").write_text(DOCUMENT)


async def _an_emergency_that_turns_out_red(
    cast: Cast, server: Server, fleet: Fleet, folder: Path
) -> str:
    (folder / "tidegate.yaml").write_text(DOCUMENT.replace("bake: 12s", "bake: 120s"))
    declare = (
        *("emergency", "declare", "words", "--change", "greeting=v3.json", "--type", "security"),
        *("--incident", "INC-431", "--reason", "CVE-2030-1234 is exploited"),
    )
    cast.does("carol", *declare, code=6)
    cast.does("alice", *declare, "--fact", "cve.score=9.8", code=4)
    said = cast.does("carol", *declare, "--fact", "cve.score=9.8", "-o", "name").strip()
    emergency = said.split()[-1]
    cast.does("carol", "emergency", "approve", emergency, "--reason", "still me", code=6)
    start = ("start", "--change", "greeting=v3.json", "--emergency", emergency, "-o", "name")
    cast.does("alice", *start, code=6)
    cast.does("dave", "emergency", "approve", emergency, "--reason", "seen the exploit")

    third = cast.does("alice", *start).strip()
    seen = await comes_to(server, third, "baking")
    bakes = [phase["bake_seconds"] for phase in seen["phases"]]
    assert bakes == [20.0, 20.0], "a sixth of 120 s each, and no phase is missing"
    scanned(cast, folder, "v3.json", findings=1)
    halted = await comes_to(server, third, "halted")
    assert halted["halt"]["cause"] == "gate"
    assert "sarif" in halted["halt"]["because"]
    cast.does("alice", "rollback", third, "--yes", "--reason", "the scan found it")
    await comes_to(server, third, "rolled_back")
    (folder / "tidegate.yaml").write_text(DOCUMENT)
    assert fleet.serving("words", "hello 3") == set()
    return emergency


async def _what_is_owed_blocks_until_it_is_settled(
    cast: Cast, server: Server, folder: Path, emergency: str
) -> None:
    owed = cast.does("alice", "debt", "list")
    assert "sarif" in owed
    await is_overdue(server)
    fourth = cast.does("alice", "start", "--change", "greeting=v4.json", "-o", "name").strip()
    scanned(cast, folder, "v4.json")
    paged = await waits_for(server, fourth, "alarm", "put off by emergency")
    assert "sarif" in paged
    alarm = cast.does("dave", "alarm", "list", "-o", "name").strip()
    cast.does("dave", "alarm", "resolve", alarm, "--reason", "the debt is known")
    held = await waits_for(server, fourth, "debt")
    assert emergency in held and "sarif" in held
    cast.does("carol", "emergency", "close", emergency, "--reason", "done", code=6)

    scanned(cast, folder, "v3.json")
    await comes_to(server, fourth, "baking")
    cast.does("bob", "approve", fourth, "--comment", "read this one as well")
    await comes_to(server, fourth, "completed")
    assert "sarif" in cast.does("carol", "emergency", "report", emergency)
    cast.does("carol", "emergency", "close", emergency, "--reason", "INC-431 is reviewed")
    cast.does("erin", "ledger", "verify")
