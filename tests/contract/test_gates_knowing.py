"""The gates that need no file format keep the contract of gates."""

from dataclasses import replace

import pytest
from gate_facts import CODE, a_target, hours, passed, stated
from gate_questions import a_question

from tidegate.domain.quantities import Environment, Version
from tidegate.drivers.gate.backup import BackupGate
from tidegate.drivers.gate.blockers import BlockersGate, NoIncidentGate
from tidegate.drivers.gate.capacity import CapacityGate
from tidegate.drivers.gate.change_size import ChangeSizeGate
from tidegate.drivers.gate.digest import DigestGate
from tidegate.drivers.gate.error_budget import ErrorBudgetGate
from tidegate.drivers.gate.healthy import HealthyGate
from tidegate.drivers.gate.mirror import MirrorGate
from tidegate.drivers.gate.staging_passed import StagingPassedGate
from tidegate.ports.gate import GateDriver, GateQuestion, KnownFacts
from tidegate.testing.builders import CANDIDATE, an_alarm
from tidegate.testing.contracts.gate import GateContract

EU, US = a_target("eu"), a_target("us")
DRIFT = {"measured_at": "2030-01-07T08:00:00Z", "capacity_ratio": 0.5, "differences": []}
SIZE = {"lines": 1000, "files": 10, "config_keys": 1}


def nothing_known(question: GateQuestion) -> GateQuestion:
    return replace(question, known=KnownFacts())


def nothing_submitted(question: GateQuestion) -> GateQuestion:
    return replace(question, documents=())


class TestDigest(GateContract):
    """The gate `digest`."""

    @pytest.fixture
    def driver(self) -> GateDriver:
        return DigestGate()

    @pytest.fixture
    def green(self) -> GateQuestion:
        return a_question("digest", known=KnownFacts(resolved=((CODE, CANDIDATE),)))

    @pytest.fixture
    def without(self, green: GateQuestion) -> tuple[GateQuestion, ...]:
        unresolved = replace(green, known=KnownFacts(resolved=((CODE, None),)))
        return nothing_known(green), unresolved


class TestStagingPassed(GateContract):
    """The gate `staging-passed`."""

    @pytest.fixture
    def driver(self) -> GateDriver:
        return StagingPassedGate()

    @pytest.fixture
    def green(self) -> GateQuestion:
        return a_question("staging-passed", known=KnownFacts(passed=(passed(),)))

    @pytest.fixture
    def without(self, green: GateQuestion) -> tuple[GateQuestion, ...]:
        other = passed(Version(name="1.1.0", digest="sha256:" + "0" * 64))
        only = passed(environment=Environment.PRODUCTION)
        known = (KnownFacts(passed=(one,)) for one in (other, only))
        return nothing_known(green), *(replace(green, known=one) for one in known)


class TestNoIncident(GateContract):
    """The gate `no-incident`."""

    @pytest.fixture
    def driver(self) -> GateDriver:
        return NoIncidentGate()

    @pytest.fixture
    def green(self) -> GateQuestion:
        return a_question("no-incident")

    @pytest.fixture
    def without(self, green: GateQuestion) -> tuple[GateQuestion, ...]:
        return (replace(green, known=KnownFacts(alarms=(an_alarm(),))),)


class TestBlockers(GateContract):
    """The gate `blockers`."""

    @pytest.fixture
    def driver(self) -> GateDriver:
        return BlockersGate()

    @pytest.fixture
    def green(self) -> GateQuestion:
        return a_question("blockers")

    @pytest.fixture
    def without(self, green: GateQuestion) -> tuple[GateQuestion, ...]:
        return tuple(
            replace(green, known=known)
            for known in (
                KnownFacts(alarms=(an_alarm(),)),
                KnownFacts(halted=("rollout a1 is halted",)),
                KnownFacts(stops=("stop order 1",)),
                KnownFacts(freezes=("closed",)),
            )
        )


class TestHealthy(GateContract):
    """The gate `healthy`."""

    @pytest.fixture
    def driver(self) -> GateDriver:
        return HealthyGate()

    @pytest.fixture
    def green(self) -> GateQuestion:
        return a_question("healthy", known=KnownFacts(traffic_now=(1_000, 5)), targets=(EU,))

    @pytest.fixture
    def without(self, green: GateQuestion) -> tuple[GateQuestion, ...]:
        return nothing_known(green), replace(green, known=KnownFacts(traffic_now=(99, 0)))


class TestErrorBudget(GateContract):
    """The gate `error-budget`."""

    @pytest.fixture
    def driver(self) -> GateDriver:
        return ErrorBudgetGate()

    @pytest.fixture
    def green(self) -> GateQuestion:
        return a_question("error-budget", known=KnownFacts(hours=hours(24 * 28)), targets=(EU,))

    @pytest.fixture
    def without(self, green: GateQuestion) -> tuple[GateQuestion, ...]:
        few = replace(green, known=KnownFacts(hours=hours(24 * 13)))
        return nothing_known(green), few, replace(green, targets=(EU, US))


class TestChangeSize(GateContract):
    """The gate `change-size`."""

    @pytest.fixture
    def driver(self) -> GateDriver:
        return ChangeSizeGate()

    @pytest.fixture
    def green(self) -> GateQuestion:
        return a_question("change-size", {"lines": 1000}, stated(**SIZE))

    @pytest.fixture
    def without(self, green: GateQuestion) -> tuple[GateQuestion, ...]:
        return (
            nothing_submitted(green),
            a_question("change-size", {"lines": 1000}, stated(files=1)),
        )


class TestBackup(GateContract):
    """The gate `backup`."""

    @pytest.fixture
    def driver(self) -> GateDriver:
        return BackupGate()

    @pytest.fixture
    def green(self) -> GateQuestion:
        said = stated(taken_at="2030-01-07T02:00:00Z", restore_tested_at="2029-12-01T10:00:00Z")
        return a_question("backup", None, said)

    @pytest.fixture
    def without(self, green: GateQuestion) -> tuple[GateQuestion, ...]:
        return (
            nothing_submitted(green),
            a_question("backup", None, stated(taken_at="2030-01-07T02:00:00Z")),
            a_question("backup", None, stated(restore_tested_at="2029-12-01T10:00:00Z")),
        )


class TestCapacity(GateContract):
    """The gate `capacity`."""

    @pytest.fixture
    def driver(self) -> GateDriver:
        return CapacityGate()

    @pytest.fixture
    def green(self) -> GateQuestion:
        known = KnownFacts(hours=hours(24))
        said = stated(requests_per_second={"eu": 1.3})
        return a_question("capacity", None, said, known=known, targets=(EU,))

    @pytest.fixture
    def without(self, green: GateQuestion) -> tuple[GateQuestion, ...]:
        return nothing_known(green), nothing_submitted(green), replace(green, targets=(EU, US))


class TestMirror(GateContract):
    """The gate `mirror`."""

    @pytest.fixture
    def driver(self) -> GateDriver:
        return MirrorGate()

    @pytest.fixture
    def green(self) -> GateQuestion:
        return a_question("mirror", None, stated(**DRIFT))

    @pytest.fixture
    def without(self, green: GateQuestion) -> tuple[GateQuestion, ...]:
        lacking = [{key: DRIFT[key] for key in DRIFT if key != left_out} for left_out in DRIFT]
        return (
            nothing_submitted(green),
            *(a_question("mirror", None, stated(**one)) for one in lacking),
        )
