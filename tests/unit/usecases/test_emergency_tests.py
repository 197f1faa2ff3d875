"""
What an emergency doesn't skip: a smaller suite must have passed before and all of the tests are owed, and it
begins from what is served now.
"""

import pytest
from gated import goes

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.rollout.machine import State
from tidegate.drivers.component.memory import MemoryComponent, Mishap
from tidegate.drivers.gate.every import every_gate
from tidegate.errors import StateMovedError
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld, the_shop
from tidegate.usecases.bus import perform
from tidegate.usecases.emergencies import Declaration
from tidegate.usecases.emergency_commands import ApproveEmergency, DeclareEmergency
from tidegate.usecases.gate_commands import SubmitEvidence
from tidegate.usecases.policy_commands import ApplyPolicy
from tidegate.usecases.rollout_commands import StartRollout

ASKS = ", approve: 1 of team-release"
GATES = "gates: {before_start: [{tests: integration}]}\n"
POLICY = """\
version: 1
people:
  carol: {groups: [commanders]}
  dave: {groups: [commanders]}
emergency:
  security:
    criteria: cve.score >= 9
    authorise: 2 of [commanders]
    bakes: {divide_by: 6, floor: 2s}
    out_of_band: [tests]
    tests: smoke
"""
SMOKE = b'<testsuite name="smoke"><testcase name="opens"/></testsuite>'
OTHERS = b'<testsuite name="integration"><testcase name="buys"/></testsuite>'
BROKEN = b'<testsuite name="smoke"><testcase name="opens"><failure/></testcase></testsuite>'


def a_commander(name):
    """Return a person who may declare and authorise."""
    return Caller(
        name=name,
        kind=CallerKind.PERSON,
        person=name,
        is_root=True,
    )


CAROL, DAVE = a_commander("carol"), a_commander("dave")


@pytest.fixture
def answers():
    """Return what goes wrong with the target's answers, by method; nothing at first."""
    return {}


@pytest.fixture
async def world(tmp_path, answers):
    component = MemoryComponent(mishap=lambda method: answers.get(method, Mishap.NONE))
    made = MemoryWorld(component=component)
    made.gates.update(every_gate(tmp_path))
    await made.installed()
    await perform(made.outside, CAROL, ApplyPolicy(text=POLICY, at="", reason="our rules"))
    return made


async def authorised(world):
    """Return the start under an emergency which two people authorised."""
    service = the_shop(DOCUMENT + GATES)
    declaration = Declaration(
        resolved=service,
        versions={"code": "2.0.0"},
        type="security",
        incident="INC-431",
        facts={"cve.score": 9.8},
        reason="it is exploited",
        start_at_once=False,
    )
    declared = await perform(world.outside, CAROL, DeclareEmergency(said=declaration))
    name = declared.emergency.id
    await perform(world.outside, DAVE, ApproveEmergency(emergency=name, reason="seen it"))
    return StartRollout(resolved=service, versions={"code": "2.0.0"}, emergency=name)


@pytest.fixture
async def hurried(world):
    """Return a rollout that began under such an emergency."""
    return await perform(world.outside, CAROL, await authorised(world))


async def submit(world, content):
    command = SubmitEvidence(
        service="shop", gate="tests", change={"code": "2.0.0"}, name="results.xml", content=content
    )
    await perform(world.outside, CAROL, command)


async def test_the_smaller_suite_comes_before_and_the_rest_beside(world, hurried):
    """What is submitted for the gate of tests is judged by both, each by what it asks for."""
    gates = {gate.name: gate for gate in hurried.plan.gates}

    assert (gates["tests"].is_deferred, gates["tests-in-short"].is_deferred) == (True, False)
    assert not await goes(world, hurried)
    await submit(world, SMOKE)
    assert await goes(world, hurried)


async def test_a_smaller_suite_that_fails_holds(world, hurried):
    """An emergency forgives no failure."""
    await submit(world, BROKEN)

    assert not await goes(world, hurried)


async def test_other_suites_that_passed_do_not_stand_in(world, hurried):
    """That all of what was submitted is good says nothing of the suite that is demanded."""
    await submit(world, OTHERS)

    assert not await goes(world, hurried)


async def test_it_does_not_begin_from_what_was_served_a_moment_ago(world, answers):
    """A target shows what the rollout before replaced: the start is repeated, with the same authority."""
    before = await world.start("1.1.0", document=DOCUMENT.replace(ASKS, ""))
    await world.run(before.id, until=[State.COMPLETED])
    start = await authorised(world)
    answers["observe"] = Mishap.OLD_READ

    with pytest.raises(StateMovedError, match="doesn't show yet"):
        await perform(world.outside, CAROL, start)

    answers.clear()
    begun = await perform(world.outside, CAROL, start)
    assert {version.name for _, version in begun.baselines} == {"1.1.0"}
