"""The gates that verify what is submitted keep the contract of gates."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from gate_questions import a_change, a_question
from git_repositories import Repository
from keyless_gates import INSTANCE, SETTINGS
from signed_statements import BUILDER, PROVENANCE, RELEASE, SOURCE, envelope, public

from tidegate.domain.quantities import Version
from tidegate.drivers.gate.provenance import ProvenanceGate
from tidegate.drivers.gate.review import ReviewGate
from tidegate.drivers.gate.sarif import SarifGate
from tidegate.drivers.gate.signature import SignatureGate
from tidegate.drivers.gate.tests import JUnitGate
from tidegate.ports.gate import GateDriver, GateQuestion
from tidegate.testing.builders import CANDIDATE
from tidegate.testing.contracts.gate import GateContract

TESTS = b'<testsuite name="integration" tests="1"><testcase name="a"/></testsuite>'
SCAN = json.dumps(
    {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "CodeQL"}}, "results": []}]}
).encode()
SIGNED = json.dumps(envelope(PROVENANCE)).encode()
KEYS = {"release": public(RELEASE)}


class VerifyingContract(GateContract):
    """What holds for all gates that answer from documents only."""

    @pytest.fixture
    def without(self, green: GateQuestion) -> tuple[GateQuestion, ...]:
        return (replace(green, documents=()),)


class TestTests(VerifyingContract):
    """The gate `tests`."""

    @pytest.fixture
    def driver(self) -> GateDriver:
        return JUnitGate()

    @pytest.fixture
    def green(self) -> GateQuestion:
        return a_question("tests", "integration", {"results.xml": TESTS})


class TestSarif(VerifyingContract):
    """The gate `sarif`."""

    @pytest.fixture
    def driver(self) -> GateDriver:
        return SarifGate()

    @pytest.fixture
    def green(self) -> GateQuestion:
        return a_question("sarif", {"tools": ["CodeQL"]}, {"scan.sarif": SCAN})


class TestSignature(VerifyingContract):
    """The gate `signature`."""

    @pytest.fixture
    def driver(self) -> GateDriver:
        return SignatureGate()

    @pytest.fixture
    def green(self) -> GateQuestion:
        return a_question("signature", {"keys": KEYS}, {"release.json": SIGNED})


class TestKeylessSignature(TestSignature):
    """The gate `signature`, of an identity."""

    @pytest.fixture
    def green(self) -> GateQuestion:
        bundle = json.dumps(INSTANCE.bundle(PROVENANCE)).encode()
        return a_question("signature", SETTINGS, {"release.json": bundle})


class TestProvenance(VerifyingContract):
    """The gate `provenance`."""

    @pytest.fixture
    def driver(self) -> GateDriver:
        return ProvenanceGate()

    @pytest.fixture
    def green(self) -> GateQuestion:
        settings = {
            "keys": KEYS,
            "builder": [BUILDER],
            "source": SOURCE,
            "any_parameters": ["workflow.path"],
        }
        return a_question("provenance", settings, {"provenance.json": SIGNED})


class TestReview(GateContract):
    """The gate `review`, with a submitted statement that says the commit."""

    @pytest.fixture
    def repository(self, tmp_path: Path) -> Repository:
        made = Repository(tmp_path / "shop")
        made.commit("first", "Reviewed-by: Bob <bob@example.com>")
        return made

    @pytest.fixture
    def driver(self, repository: Repository) -> GateDriver:
        return ReviewGate(repository.path.parent)

    @pytest.fixture
    def green(self, repository: Repository) -> GateQuestion:
        statement = json.dumps({"commit": repository.head()}).encode()
        return a_question("review", {"repository": "shop"}, {"commit.json": statement})

    @pytest.fixture
    def without(self, green: GateQuestion) -> tuple[GateQuestion, ...]:
        settings = json.dumps({"repository": "other"})
        return (
            replace(green, documents=()),
            replace(green, spec=replace(green.spec, settings_json=settings)),
            replace(green, change=a_change(code=Version(name="f" * 40, digest=CANDIDATE.digest))),
        )
