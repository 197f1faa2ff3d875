"""What makes the gates green or red that need no file format: each limit from both of its sides."""

from dataclasses import replace
from datetime import timedelta

import pytest
from gate_facts import CODE, a_target, hours, passed, stated
from gate_questions import a_change, a_question

from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.plan.traffic import HOUR
from tidegate.domain.quantities import Environment
from tidegate.domain.rollout.alarms import Severity
from tidegate.drivers.gate.backup import BackupGate
from tidegate.drivers.gate.blockers import BlockersGate, NoIncidentGate
from tidegate.drivers.gate.capacity import CapacityGate
from tidegate.drivers.gate.change_size import ChangeSizeGate
from tidegate.drivers.gate.digest import DigestGate
from tidegate.drivers.gate.error_budget import ErrorBudgetGate
from tidegate.drivers.gate.healthy import HealthyGate
from tidegate.drivers.gate.mirror import MirrorGate
from tidegate.drivers.gate.staging_passed import StagingPassedGate
from tidegate.ports.gate import KnownFacts
from tidegate.testing.builders import BASELINE, CANDIDATE, START, an_alarm

GREEN, RED, UNKNOWN = GateVerdict.GREEN, GateVerdict.RED, GateVerdict.UNKNOWN
EU, US = a_target("eu"), a_target("us")
MOVED = replace(CANDIDATE, digest="sha256:" + "9" * 64)
FULL = 24 * 28


async def judge(driver, *arguments, **options):
    answer = await driver.check(a_question(*arguments, **options))
    assert answer.because
    return answer


@pytest.mark.parametrize(
    ("resolved", "passes", "version", "verdict", "words"),
    [
        (CANDIDATE, (), CANDIDATE, GREEN, "code 1.1.0 is sha256:ccc"),
        (MOVED, (), CANDIDATE, RED, "is another artifact by now"),
        (None, (), CANDIDATE, UNKNOWN, "can't be told"),
        (CANDIDATE, (passed(MOVED),), CANDIDATE, RED, "passed on staging was another artifact"),
        (CANDIDATE, (passed(), passed(BASELINE)), CANDIDATE, GREEN, ""),
        (CANDIDATE, (passed(MOVED, component="config"),), CANDIDATE, GREEN, ""),
        (None, (), replace(CANDIDATE, digest="latest"), RED, "isn't fixed by a sha256 digest"),
        (None, (), replace(CANDIDATE, digest="sha256:" + "C" * 64), RED, "isn't fixed"),
    ],
)
async def test_digest(resolved, passes, version, verdict, words):
    """The same artifact everywhere: neither the name's meaning nor staging's content may differ."""
    known = KnownFacts(resolved=((CODE, resolved),), passed=passes)

    answer = await judge(DigestGate(), "digest", known=known, change=a_change(code=version))

    assert answer.verdict is verdict
    assert words in answer.because


@pytest.mark.parametrize(
    ("settings", "passes", "verdict", "words"),
    [
        (None, (passed(),), GREEN, "code 1.1.0 passed on staging 60 min ago"),
        (None, (passed(environment=Environment.LAB, target="lab"),), GREEN, "on lab"),
        (None, (), RED, "hasn't passed on a staging target"),
        (None, (passed(environment=Environment.PRODUCTION),), RED, "hasn't passed"),
        (None, (passed(MOVED),), RED, "was another artifact"),
        (None, (passed(ago=timedelta(hours=-1)),), RED, "hasn't passed"),
        ("staging", (passed(),), GREEN, ""),
        ("staging-2", (passed(),), RED, "hasn't passed on staging-2"),
        ({"within": "2h"}, (passed(),), GREEN, ""),
        ({"within": "1h"}, (passed(),), RED, "too long ago"),
        (None, (passed(component="config"),), RED, "hasn't passed"),
    ],
)
async def test_staging_passed(settings, passes, verdict, words):
    """Only the very digest on the right kind of target, and no longer ago than is allowed."""
    answer = await judge(
        StagingPassedGate(), "staging-passed", settings, known=KnownFacts(passed=passes)
    )

    assert answer.verdict is verdict
    assert words in answer.because


async def test_staging_must_have_passed_with_every_component():
    """And an answer is good only as long as what it rests on is young enough."""
    change = a_change(code=CANDIDATE, config=BASELINE)
    one = KnownFacts(passed=(passed(),))
    both = KnownFacts(
        passed=(passed(), passed(BASELINE, component="config", ago=timedelta(hours=2)))
    )

    part = await judge(StagingPassedGate(), "staging-passed", known=one, change=change)
    whole = await judge(
        StagingPassedGate(), "staging-passed", {"within": "3h"}, known=both, change=change
    )

    assert part.verdict is RED and "config 1.0.0 hasn't passed" in part.because
    assert (whole.verdict, whole.lasts) == (GREEN, timedelta(hours=1))


@pytest.mark.parametrize(
    ("settings", "severity", "verdict"),
    [
        (None, Severity.PAGE, RED),
        (None, Severity.TICKET, GREEN),
        ({"tickets": True}, Severity.TICKET, RED),
    ],
)
async def test_no_incident(settings, severity, verdict):
    """A page is an incident; a ticket is one where that is written."""
    known = KnownFacts(alarms=(an_alarm(severity=severity),))

    answer = await judge(NoIncidentGate(), "no-incident", settings, known=known)

    assert answer.verdict is verdict


async def test_what_is_over_is_no_incident():
    """An alarm that was resolved stands in nobody's way."""
    known = KnownFacts(alarms=(an_alarm(resolved_at=START),))

    assert (await judge(NoIncidentGate(), "no-incident", known=known)).verdict is GREEN
    assert (await judge(BlockersGate(), "blockers", known=known)).verdict is GREEN


async def test_blockers_names_what_stands_in_the_way():
    """The first five, and how many more."""
    known = KnownFacts(halted=tuple(f"rollout {number} is halted" for number in range(7)))

    answer = await judge(BlockersGate(), "blockers", known=known)

    assert answer.verdict is RED
    assert "rollout 4 is halted; and 2 more" in answer.because
    assert ("halted", "7") in answer.facts


@pytest.mark.parametrize(
    ("known", "verdict", "words"),
    [
        (KnownFacts(traffic_now=(1_000, 10)), GREEN, "10 of 1000 requests of this moment"),
        (KnownFacts(traffic_now=(1_000, 11)), RED, "11 of 1000 requests of this moment failed"),
        (KnownFacts(traffic_now=(99, 0)), UNKNOWN, "it takes 100 to tell"),
        (KnownFacts(traffic_now=(0, 0)), UNKNOWN, "0 requests were seen"),
        (KnownFacts(), UNKNOWN, "0 requests were seen"),
        (KnownFacts(hours=hours(2, bad=36)), GREEN, "72 of 7200 requests of the last 2h"),
        (KnownFacts(hours=hours(2, bad=37)), RED, "74 of 7200"),
        (KnownFacts(hours=hours(9, bad=0), traffic_now=(500, 50)), RED, "50 of 500"),
        (KnownFacts(hours=hours(1, bad=0, until=START - 2 * HOUR)), UNKNOWN, "0 requests"),
        (KnownFacts(hours=hours(2, target="us")), UNKNOWN, "0 requests"),
        (KnownFacts(traffic_now=(1_000, 0), alarms=(an_alarm(),)), RED, "says"),
        (KnownFacts(is_install=True), GREEN, "nothing is served yet"),
        (KnownFacts(is_install=True, alarms=(an_alarm(),)), RED, "says"),
    ],
)
async def test_healthy(known, verdict, words):
    """Now and in the last hours; no traffic is no health, and an alarm outweighs good numbers."""
    answer = await judge(HealthyGate(), "healthy", known=known, targets=(EU,))

    assert answer.verdict is verdict, answer.because
    assert words in answer.because


@pytest.mark.parametrize(
    ("settings", "known", "verdict", "words"),
    [
        # 0.1 % of 3,600 requests an hour may fail, 3.6; a tenth must be left: 3.24.
        (None, hours(FULL, bad=3), GREEN, "17% of the error budget of 28d is left"),
        (None, hours(FULL, bad=4), RED, "0% of the error budget"),
        ({"left": 0.2}, hours(FULL, bad=3), RED, "at least 20% must be"),
        ({"objective": 0.99}, hours(FULL, bad=32), GREEN, "11% of the error budget"),
        (None, hours(FULL // 2), GREEN, "100%"),
        (None, hours(FULL // 2 - 1), UNKNOWN, "50% of the last 28d are known"),
        (None, hours(FULL, watched=HOUR / 4), UNKNOWN, "25% of the last 28d"),
        (None, hours(FULL, requests=0), UNKNOWN, ""),
        (None, (), UNKNOWN, "nothing is known of eu"),
        (None, hours(FULL, until=START - timedelta(days=28)), UNKNOWN, ""),
        ({"over": "1d", "known": 1.0}, hours(24), GREEN, "of 24h is left"),
    ],
)
async def test_error_budget(settings, known, verdict, words):
    """Of what the objective allows, enough must be left; of too little history nothing is said."""
    answer = await judge(
        ErrorBudgetGate(), "error-budget", settings, known=KnownFacts(hours=known), targets=(EU,)
    )

    assert answer.verdict is verdict, answer.because
    assert words in answer.because


async def test_a_first_deployment_has_spent_nothing():
    """Nobody was served, so nobody can have been harmed."""
    known = KnownFacts(is_install=True)

    answer = await judge(ErrorBudgetGate(), "error-budget", known=known, targets=(EU,))

    assert answer.verdict is GREEN


@pytest.mark.parametrize(
    ("settings", "submitted", "verdict", "words"),
    [
        (None, (), GREEN, "1 components change"),
        (2, (), GREEN, ""),
        ({"lines": 100}, stated(lines=100), GREEN, "100 lines"),
        ({"lines": 100}, stated(lines=101), RED, "101 lines change, at most 100 may"),
        ({"lines": 0}, stated(lines=0), GREEN, ""),
        ({"files": 3, "config_keys": 2}, stated(files=3, config_keys=3), RED, "3 config keys"),
        ({"lines": 100}, (), UNKNOWN, "nothing was submitted"),
        ({"lines": 100}, stated(files=1), UNKNOWN, "doesn't say `lines`"),
        ({"lines": 100}, stated(lines=-1), UNKNOWN, "isn't a number from 0 on"),
        ({"lines": 100}, stated(lines=1.5), UNKNOWN, "isn't a whole number"),
        ({"lines": 100}, stated(lines="1"), UNKNOWN, "isn't a number"),
        ({"lines": 100}, stated(lines=True), UNKNOWN, "isn't a number"),
        ({"lines": 100}, stated(lines=1, line=2), UNKNOWN, "unknown key `line`"),
        ({"lines": 100}, {"a": b"lots"}, UNKNOWN, "isn't JSON"),
    ],
)
async def test_change_size(settings, submitted, verdict, words):
    """What is known here is counted; what must be stated is needed only where it has a limit."""
    answer = await judge(ChangeSizeGate(), "change-size", settings, submitted)

    assert answer.verdict is verdict, answer.because
    assert words in answer.because


async def test_too_many_components_are_too_many_whatever_is_stated():
    """And red needs no statement."""
    change = a_change(**{f"part-{number}": CANDIDATE for number in range(4)})

    answer = await judge(ChangeSizeGate(), "change-size", {"lines": 9}, change=change)

    assert answer.verdict is RED
    assert "4 components change, at most 3 may" in answer.because


TAKEN = (START - timedelta(hours=7)).isoformat()
TESTED = (START - timedelta(days=10)).isoformat()


@pytest.mark.parametrize(
    ("settings", "submitted", "verdict", "words"),
    [
        (None, stated(taken_at=TAKEN, restore_tested_at=TESTED), GREEN, "the backup is 7 h 0 min"),
        ("7h", stated(taken_at=TAKEN, restore_tested_at=TESTED), RED, "7h is allowed"),
        (
            {"restore_tested": "10d"},
            stated(taken_at=TAKEN, restore_tested_at=TESTED),
            RED,
            "the last tried restore is",
        ),
        (None, stated(taken_at=TAKEN), UNKNOWN, "doesn't say `restore_tested_at`"),
        (None, stated(restore_tested_at=TESTED), UNKNOWN, "doesn't say `taken_at`"),
        (None, (), UNKNOWN, "nothing was submitted"),
        (None, stated(taken_at="2030-01-07T02:00:00", restore_tested_at=TESTED), UNKNOWN, "zone"),
        (
            None,
            stated(taken_at="2031-01-01T00:00:00Z", restore_tested_at=TESTED),
            UNKNOWN,
            "in the future",
        ),
        (None, stated(taken_at="yesterday", restore_tested_at=TESTED), UNKNOWN, "isn't a time"),
        (None, stated(taken_at=7, restore_tested_at=TESTED), UNKNOWN, "isn't text"),
        (None, stated(taken_at=None, restore_tested_at=TESTED), UNKNOWN, "isn't text"),
        (None, {"a": b"[1]"}, UNKNOWN, "isn't an object"),
    ],
)
async def test_backup(settings, submitted, verdict, words):
    """Young enough, and restored once; nothing about it may be left to guess."""
    answer = await judge(BackupGate(), "backup", settings, submitted)

    assert answer.verdict is verdict, answer.because
    assert words in answer.because


async def test_a_backup_s_answer_ends_when_the_backup_is_too_old():
    """However long the gate's answers may last."""
    said = stated(taken_at=TAKEN, restore_tested_at=TESTED)

    answer = await judge(BackupGate(), "backup", "8h", said)

    assert (answer.verdict, answer.lasts) == (GREEN, timedelta(hours=1))


async def test_the_newest_statement_counts():
    """A younger backup mends an old one; a broken newest statement isn't covered by a good one."""
    old = stated(taken_at=TESTED, restore_tested_at=TESTED)["statement.json"]
    young = stated(taken_at=TAKEN, restore_tested_at=TESTED)["statement.json"]

    mended = await judge(BackupGate(), "backup", None, [("a.json", old), ("a.json", young)])
    broken = await judge(BackupGate(), "backup", None, [("a.json", young), ("a.json", b"{")])

    assert (mended.verdict, broken.verdict) == (GREEN, UNKNOWN)


@pytest.mark.parametrize(
    ("settings", "submitted", "verdict", "words"),
    [
        # One request a second at the peak, and 30 % to spare.
        (None, stated(requests_per_second=1.3), GREEN, "carries 1.3/s, needs 1.3/s"),
        (None, stated(requests_per_second=1.29), RED, "eu carries 1.29 requests/s"),
        (None, stated(requests_per_second={"eu": 2}), GREEN, ""),
        (None, stated(requests_per_second={"us": 2}), UNKNOWN, "eu can carry isn't stated"),
        ({"requests_per_second": 1.3}, (), GREEN, ""),
        ({"requests_per_second": 1.0}, (), RED, ""),
        ({"requests_per_second": 1.0, "headroom": 0}, (), GREEN, ""),
        (None, (), UNKNOWN, "nothing was submitted"),
        (None, stated(), UNKNOWN, "doesn't say"),
        (None, stated(requests_per_second=-1), UNKNOWN, "isn't a number from 0 on"),
        (None, stated(requests_per_second="many"), UNKNOWN, "isn't a number"),
        ({"requests_per_second": 9, "peak_over": "1h"}, (), GREEN, ""),
    ],
)
async def test_capacity(settings, submitted, verdict, words):
    """The busiest hour with room to spare must fit what is stated."""
    known = KnownFacts(hours=(*hours(24), *hours(1, requests=9_999, watched=timedelta(minutes=9))))

    answer = await judge(
        CapacityGate(), "capacity", settings, submitted, known=known, targets=(EU,)
    )

    assert answer.verdict is verdict, answer.because
    assert words in answer.because


async def test_capacity_without_traffic_is_not_known():
    """A service that serves nobody yet needs none; one whose traffic isn't known may need any."""
    settings = {"requests_per_second": 100}

    unseen = await judge(CapacityGate(), "capacity", settings, targets=(EU,))
    install = await judge(
        CapacityGate(), "capacity", settings, targets=(EU,), known=KnownFacts(is_install=True)
    )

    assert (unseen.verdict, install.verdict) == (UNKNOWN, GREEN)


def drift(*differences, ratio=0.5, measured_at="2030-01-07T02:00:00Z"):
    found = [{"kind": kind, "what": f"{kind} {number}"} for number, kind in enumerate(differences)]
    return stated(measured_at=measured_at, capacity_ratio=ratio, differences=found)


@pytest.mark.parametrize(
    ("settings", "submitted", "verdict", "words"),
    [
        (None, drift(), GREEN, "0 differences, 50% of production's capacity"),
        (None, drift("versions"), RED, "1 differences of versions, at most 0 may be"),
        ({"limits": {"versions": 1}}, drift("versions"), GREEN, ""),
        ({"limits": {"versions": 1}}, drift("config"), RED, "of config"),
        (None, drift(ratio=0.09), RED, "9% of production's capacity"),
        ({"capacity_ratio": 0.05}, drift(ratio=0.09), GREEN, ""),
        (None, drift(measured_at="2029-12-31T09:00:00Z"), UNKNOWN, "drift report is"),
        (None, drift("weather"), UNKNOWN, "no kind of difference"),
        (None, (), UNKNOWN, "nothing was submitted"),
        (None, stated(measured_at=TAKEN, capacity_ratio=1), UNKNOWN, "doesn't say `differences`"),
        (None, stated(measured_at=TAKEN, differences=[]), UNKNOWN, "capacity_ratio"),
        (None, stated(capacity_ratio=1, differences=[]), UNKNOWN, "measured_at"),
        (None, stated(measured_at=TAKEN, capacity_ratio=1, differences=None), UNKNOWN, "list"),
        (None, stated(measured_at=TAKEN, capacity_ratio=1, differences=[7]), UNKNOWN, "object"),
        (
            None,
            stated(measured_at=TAKEN, capacity_ratio=1, differences=[{"kind": "config"}]),
            UNKNOWN,
            "doesn't say `what`",
        ),
    ],
)
async def test_mirror(settings, submitted, verdict, words):
    """Every difference counts by its kind; an old or incomplete report says nothing."""
    answer = await judge(MirrorGate(), "mirror", settings, submitted)

    assert answer.verdict is verdict, answer.because
    assert words in answer.because
