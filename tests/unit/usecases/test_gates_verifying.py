"""A rollout waits until what its gates verify was submitted, and goes on by itself when it is good."""

import json

import pytest
from gated import goes
from git_repositories import Repository
from signed_statements import BUILDER, PROVENANCE, RELEASE, SOURCE, changed, envelope, public

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.drivers.gate.every import every_gate
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.bus import perform
from tidegate.usecases.gate_commands import SubmitEvidence

GATES = f"""gates:
  before_start:
    - {{tests: integration}}
    - sarif
    - signature: {{keys: {{release: "{"".join(public(RELEASE).splitlines()[1:-1])}"}}}}
    - provenance:
        keys: {{release: "{"".join(public(RELEASE).splitlines()[1:-1])}"}}
        builder: {BUILDER}
        source: {SOURCE}
        parameters: {{workflow.path: .github/workflows/release.yml}}
    - review: {{repository: shop, tag: "v{{version}}"}}
"""
CALLER = Caller(name="ci", kind=CallerKind.PROGRAM, person="alice", is_root=True)
TESTS = b'<testsuite name="integration"><testcase name="buys"/></testsuite>'
FAILED = b'<testsuite name="integration"><testcase name="buys"><failure/></testcase></testsuite>'
SCAN = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "CodeQL"}}, "results": []}]}


@pytest.fixture
async def world(tmp_path):
    repository = Repository(tmp_path / "shop")
    repository.commit("first", "Reviewed-by: Bob <bob@example.com>")
    repository.git("tag", "v2.0.0")
    made = MemoryWorld()
    made.gates.update(every_gate(tmp_path))
    await made.installed()
    return made


async def submit(world, gate, name, content):
    command = SubmitEvidence(
        service="shop", gate=gate, change={"code": "2.0.0"}, name=name, content=content
    )
    return await perform(world.outside, CALLER, command)


def signed_for(world, rollout):
    """Return provenance of the very artifact that *rollout* deploys, built just now."""
    [part] = rollout.change.components
    digest = part.to.digest.removeprefix("sha256:")
    statement = changed(PROVENANCE, "subject.0.digest.sha256", digest)
    built = "predicate.runDetails.metadata.finishedOn"
    statement = changed(statement, built, world.clock.now().isoformat())
    return json.dumps(envelope(statement)).encode()


async def test_a_rollout_goes_on_once_all_that_was_submitted_is_good(world):
    """One that is missing or red keeps it where it is."""
    rollout = await world.start("2.0.0", document=DOCUMENT + GATES)
    signed = signed_for(world, rollout)

    assert not await goes(world, rollout)
    for gate, name, content in (
        ("sarif", "scan.sarif", json.dumps(SCAN).encode()),
        ("signature", "release.json", signed),
        ("provenance", "provenance.json", signed),
        ("tests", "results.xml", FAILED),
    ):
        await submit(world, gate, name, content)
        assert not await goes(world, rollout), gate
    await submit(world, "tests", "results.xml", TESTS)

    assert await goes(world, rollout)


async def test_provenance_of_another_artifact_starts_nothing(world):
    """All else being good."""
    first = await world.start("2.0.0", document=DOCUMENT + GATES)
    signed = signed_for(world, first)
    for gate, name, content in (
        ("tests", "results.xml", TESTS),
        ("sarif", "scan.sarif", json.dumps(SCAN).encode()),
        ("signature", "release.json", signed),
        ("provenance", "provenance.json", changed_subject(signed)),
    ):
        await submit(world, gate, name, content)

    assert not await goes(world, first)


def changed_subject(signed):
    """Return *signed* with the payload of another artifact under the same signature."""
    whole = json.loads(signed)
    whole["payload"] = envelope(PROVENANCE)["payload"]
    return json.dumps(whole).encode()
