"""What saying that something is wrong does, whoever says it, however often and in whatever order."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.plan.model import AlertPolicy, Effect
from tidegate.domain.quantities import ServiceName, TargetName
from tidegate.domain.rollout.alarms import AlarmId, AlarmKind, Severity
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import HaltCause, ReasonCode
from tidegate.errors import InvalidRequestError, NotFoundError, StoreError
from tidegate.testing.builders import START
from tidegate.testing.simulation.bench import DRIVER
from tidegate.testing.simulation.failpoints import (
    CrashedError,
    InterruptedComponent,
    InterruptedStore,
)
from tidegate.testing.simulation.situations import a_quick_plan
from tidegate.usecases.alarms import Told, raise_alarm, resolve_alarm, resolve_told
from tidegate.usecases.explain import replay_decision
from tidegate.usecases.resume import resume_rollout
from tidegate.usecases.roll_back import roll_back

SHOP = ServiceName("shop")
EU = TargetName("eu")


def told(**changes):
    given = Told(
        kind=AlarmKind.ALERT,
        severity=Severity.PAGE,
        service=SHOP,
        target=None,
        summary="orders fail",
        source="alertmanager",
        fingerprint="f-1",
        began_at=START,
    )
    return replace(given, **changes)


def is_in(state, phase_index=None):
    def holds(rollout):
        return rollout.state is state and phase_index in (None, rollout.phase_index)

    return holds


def waits_for(reason):
    return lambda rollout: rollout.waiting_on.reason is reason


async def a_baking(bench, phase_index=0):
    started = await bench.start()
    return await bench.until(started.id, is_in(State.BAKING, phase_index))


async def say(bench, outside=None, **changes):
    return await raise_alarm(outside or bench.outside, told(**changes), actor="alertmanager")


def resolve(bench, alarm_id, reason="the disk was full"):
    return resolve_alarm(bench.outside, alarm_id, actor="bob", reason=reason)


def stored(bench):
    with bench.store.begin(read_only=True) as transaction:
        return list(transaction.alarms())


# --- pages and reports -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"target": EU},
        {"kind": AlarmKind.REPORT, "source": "user", "fingerprint": None, "began_at": None},
    ],
    ids=["a page", "a page for its target", "a user report"],
)
async def test_what_harms_users_is_withdrawn_at_once(make_bench, said):
    """When the call has returned nobody meets the candidate, without a single step."""
    bench = await make_bench()
    rollout = await a_baking(bench, 1)

    answered = await say(bench, **said)

    halted = bench.rollout(rollout.id)
    assert answered.halted == (rollout.id,)
    assert bench.exposes_nobody()
    assert (halted.state, halted.halt.cause) == (State.HALTED, HaltCause.ALARM)
    assert "says: orders fail" in halted.halt.because
    assert stored(bench) == [answered.alarm]


async def test_a_halt_by_an_alarm_waits_for_a_person(make_bench):
    """The signals didn't show it, so nothing but a person can say what it was."""
    bench = await make_bench()
    rollout = await a_baking(bench)
    await say(bench)

    waiting = await bench.until(rollout.id, waits_for(ReasonCode.PERSON_AFTER_HALT))
    resolve(bench, stored(bench)[0].id)
    later = await bench.tick(rollout.id)

    assert waiting.state is later.state is State.HALTED


async def test_what_is_resumed_while_it_is_red_waits_until_it_is_resolved(make_bench):
    """A page that is still active is a reason not to begin, and its end lets it go on."""
    bench = await make_bench()
    rollout = await a_baking(bench)
    answered = await say(bench)
    await bench.until(rollout.id, waits_for(ReasonCode.PERSON_AFTER_HALT))
    resume_rollout(bench.outside, rollout.id, actor="bob", reason="it isn't ours")

    waiting = await bench.until(rollout.id, waits_for(ReasonCode.ALARM))
    resolved = resolve(bench, answered.alarm.id)
    going_on = await bench.until(rollout.id, is_in(State.BAKING))

    assert waiting.state is State.WAITING
    assert resolved.released == (rollout.id,)
    assert going_on.attempt == 2


async def test_a_rollout_that_starts_while_it_is_red_waits(make_bench):
    """Nobody is exposed to anything new in a service that is in trouble already."""
    bench = await make_bench()
    answered = await say(bench)
    started = await bench.start()

    waiting = await bench.until(started.id, waits_for(ReasonCode.ALARM))
    exposed_before = not bench.exposes_nobody()
    resolve(bench, answered.alarm.id)
    going_on = await bench.until(started.id, is_in(State.BAKING))

    assert (answered.halted, answered.held) == ((), ())
    assert waiting.state is State.WAITING
    assert not exposed_before
    assert going_on.phase_index == 0


async def test_the_way_back_is_never_kept_waiting(make_bench):
    """A rollback of what completed goes on while every light is red."""
    bench = await make_bench()
    started = await bench.start()
    await bench.until(started.id, lambda found: found.is_final)
    await say(bench)

    returning = await roll_back(bench.outside, started.id, actor="bob", reason="it fails")
    back = await bench.until(returning.id, lambda found: found.is_final)

    assert back.state is State.ROLLED_BACK


async def test_an_alarm_of_another_target_holds(make_bench):
    """The candidate isn't there, so it can't be due to it; but nothing rises meanwhile."""
    bench = await make_bench()
    rollout = await a_baking(bench)

    answered = await say(bench, target=TargetName("mars"))
    held = await bench.step(rollout.id)

    assert (answered.halted, answered.held) == ((), (rollout.id,))
    assert (held.state, held.waiting_on.reason) == (State.HELD, ReasonCode.ALARM)


async def test_an_alarm_of_another_service_is_none_of_ours(make_bench):
    """It is kept, for rollouts of that service, and nothing is done."""
    bench = await make_bench()
    rollout = await a_baking(bench)

    answered = await say(bench, service=ServiceName("payments"))

    assert (answered.halted, answered.held) == ((), ())
    assert (await bench.step(rollout.id)).state is State.BAKING


async def test_the_policy_of_the_service_is_asked(make_bench):
    """A service may take its pages as tickets."""
    plan = replace(a_quick_plan(), alerts=AlertPolicy(page=Effect.HOLD))
    bench = await make_bench(plan)
    rollout = await a_baking(bench)

    answered = await say(bench)

    assert answered.held == (rollout.id,)


# --- tickets ---------------------------------------------------------------------------------


async def test_a_ticket_holds_until_it_is_resolved(make_bench):
    """Exposure is frozen, everybody keeps what they have, and its end is enough to go on."""
    bench = await make_bench()
    rollout = await a_baking(bench)

    answered = await say(bench, severity=Severity.TICKET)
    held = await bench.step(rollout.id)
    still = await bench.tick(rollout.id, by=timedelta(minutes=5))
    resolve(bench, answered.alarm.id)
    going_on = await bench.until(rollout.id, is_in(State.BAKING, 1))

    assert answered.held == (rollout.id,)
    assert held.waiting_on.reason is still.waiting_on.reason is ReasonCode.ALARM
    assert going_on.attempt == 1


async def test_the_ledger_says_who_raised_and_who_resolved(make_bench):
    """A hold is explained by what was said, and its decision can be made again from the record."""
    bench = await make_bench()
    rollout = await a_baking(bench)

    answered = await say(bench, severity=Severity.TICKET)
    await bench.step(rollout.id)
    resolve(bench, answered.alarm.id)

    entries = {entry.rule: entry for entry in bench.ledger(rollout.id)}
    assert entries["alarm"].kind == "decision"
    raised = next(entry for entry in bench.ledger(rollout.id) if entry.rule == "alarm")
    assert (raised.kind, raised.actor) == ("command", "alertmanager")
    assert json.loads(entries["alarm"].observation_json)["alarms"][0]["summary"] == "orders fail"
    assert replay_decision(bench.outside, entries["alarm"].number).same_decision
    assert (entries["resolve-alarm"].actor, entries["resolve-alarm"].because) == (
        "bob",
        "the disk was full",
    )


# --- again, late, out of order ---------------------------------------------------------------


async def test_saying_the_same_again_changes_nothing(make_bench):
    """Alertmanager repeats what fires for as long as it fires."""
    bench = await make_bench()
    rollout = await a_baking(bench)

    first = await say(bench, severity=Severity.TICKET)
    entries = len(bench.ledger(rollout.id))
    second = await say(bench, severity=Severity.TICKET, summary="orders fail, 3.2 %")

    assert first.alarm == second.alarm
    assert stored(bench) == [first.alarm]
    assert len(bench.ledger(rollout.id)) == entries


async def test_a_ticket_that_becomes_a_page_halts(make_bench):
    """It may get worse under the same name, but what was a page doesn't become a ticket."""
    bench = await make_bench()
    rollout = await a_baking(bench)
    await say(bench, severity=Severity.TICKET)

    worse = await say(bench)
    better = await say(bench, severity=Severity.TICKET)

    assert worse.halted == (rollout.id,)
    assert worse.alarm.severity is better.alarm.severity is Severity.PAGE
    assert bench.exposes_nobody()


async def test_what_was_resolved_stays_so_when_it_is_said_again_late(make_bench):
    """A message that was overtaken by its end stops nothing."""
    bench = await make_bench()
    answered = await say(bench)
    resolve(bench, answered.alarm.id)
    rollout = await a_baking(bench)

    late = await say(bench)

    assert not late.alarm.is_active
    assert bench.rollout(rollout.id).state is State.BAKING


async def test_what_begins_again_is_an_alarm_of_its_own(make_bench):
    """The same fingerprint with a later beginning is a new occurrence."""
    bench = await make_bench()
    first = await say(bench)
    resolve(bench, first.alarm.id)
    rollout = await a_baking(bench)

    second = await say(bench, began_at=START + timedelta(hours=1))

    assert second.halted == (rollout.id,)
    assert second.alarm.id != first.alarm.id
    assert len(stored(bench)) == 2


async def test_its_source_resolves_what_it_began(make_bench):
    """By fingerprint and beginning; the end of an earlier occurrence doesn't end a later one."""
    bench = await make_bench()
    later = START + timedelta(hours=1)
    answered = await say(bench, began_at=later)

    def over(fingerprint, began_at):
        return resolve_told(
            bench.outside,
            source="alertmanager",
            fingerprint=fingerprint,
            began_at=began_at,
            actor="alertmanager",
        )

    assert over("unknown", later) is None
    assert over("f-1", START) is None
    resolved = over("f-1", later)
    assert resolved.alarm.id == answered.alarm.id
    assert not resolved.alarm.is_active
    assert over("f-1", later) == replace(resolved, released=())


async def test_resolving_twice_keeps_the_first_word(make_bench):
    """Who resolved it and why stays as it was said first."""
    bench = await make_bench()
    answered = await say(bench)

    first = resolve(bench, answered.alarm.id)
    second = resolve(bench, answered.alarm.id, reason="no, the network")

    assert second.alarm == first.alarm
    assert (first.alarm.resolved_by, first.alarm.resolution) == ("bob", "the disk was full")


async def test_reports_without_a_name_are_each_their_own(make_bench):
    """Two users who say the same at different times have said two things."""
    bench = await make_bench()
    await bench.start()
    report = {"kind": AlarmKind.REPORT, "source": "user", "fingerprint": None, "began_at": None}

    first = await say(bench, **report)
    bench.pass_time(timedelta(seconds=1))
    second = await say(bench, **report)

    assert first.alarm.id != second.alarm.id


@pytest.mark.parametrize("changes", [{"summary": " "}, {"service": None}])
async def test_an_alarm_that_says_nothing_is_refused(make_bench, changes):
    """Without words, or without anything that it could be about, nobody could act on it."""
    bench = await make_bench()

    with pytest.raises(InvalidRequestError):
        await say(bench, **changes)


async def test_resolving_needs_a_reason_and_an_alarm(make_bench):
    """What ends a hold is on record with its reason."""
    bench = await make_bench()
    answered = await say(bench)

    with pytest.raises(InvalidRequestError, match="reason"):
        resolve(bench, answered.alarm.id, reason=" ")
    with pytest.raises(NotFoundError, match="a-9"):
        resolve(bench, AlarmId("a-9"))


# --- when something fails in between ---------------------------------------------------------


async def test_who_dies_after_storing_it_has_still_stopped_it(make_bench):
    """The alarm is an input of the next step of any server: a page doesn't rest on one process."""
    bench = await make_bench()
    rollout = await a_baking(bench, 1)
    alarm = (await say(await make_bench())).alarm
    with bench.store.begin() as transaction:
        transaction.put_alarm(alarm)

    halted = await bench.step(rollout.id)

    assert (halted.state, halted.halt.cause) == (State.HALTED, HaltCause.ALARM)
    assert bench.exposes_nobody()


async def test_who_dies_after_withdrawing_leaves_it_stopped(make_bench):
    """Withdrawn and not recorded: the next step finds the stop at the target and follows it."""
    bench = await make_bench()
    rollout = await a_baking(bench, 1)

    async def dies(point):
        if point == "after withdraw":
            raise CrashedError

    component = InterruptedComponent(bench.component, dies)
    outside = replace(bench.outside, components={DRIVER: component})

    with pytest.raises(CrashedError):
        await say(bench, outside)
    nobody = bench.exposes_nobody()
    halted = await bench.step(rollout.id)

    assert nobody
    assert halted.state is State.HALTED


async def test_a_store_that_fails_keeps_no_page_from_withdrawing(make_bench):
    """The stop is in force at the targets; who said it is told to say it again."""
    bench = await make_bench()
    await a_baking(bench, 1)
    reads = iter([True, True])

    def fails(point):
        if point == "before transaction" and not next(reads, False):
            raise StoreError("the disk is full", hint="make room")

    outside = replace(bench.outside, store=InterruptedStore(bench.store, fails))

    with pytest.raises(StoreError):
        await say(bench, outside)

    assert bench.exposes_nobody()


async def test_a_report_of_an_unknown_service_is_refused(make_bench):
    """A slip of the pen stops nothing, and must not look as if it had."""
    bench = await make_bench()
    await bench.start()

    with pytest.raises(NotFoundError, match="shpo"):
        await say(bench, kind=AlarmKind.REPORT, service=ServiceName("shpo"))
