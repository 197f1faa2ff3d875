"""
Emergencies, protocols, gates and answers for tests, ready to use: a test names only what it is about.

Rule: every default is plausible and valid, and fixed: two calls with the same arguments give equal things.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from tidegate.domain.access.model import DEFAULT_ORGANISATION, DEFAULT_PROJECT
from tidegate.domain.emergency.model import Emergency, EmergencyId
from tidegate.domain.emergency.protocol import EmergencyProtocol
from tidegate.domain.gates.model import GateEvidence, GateMoment, GateSpec, GateVerdict
from tidegate.domain.plan.model import Change, ComponentChange
from tidegate.domain.quantities import ComponentName, ServiceName
from tidegate.testing.builders import CANDIDATE, START

DIGEST: Final = "sha256:" + "d" * 64
"""The digest of the change in question, where no store worked it out."""


def a_protocol(**changes: Any) -> EmergencyProtocol:
    """Return a protocol of type `security` that puts off tests and scans, with *changes*."""
    protocol = EmergencyProtocol(
        type="security",
        version="1",
        criteria='incident.id is known and severity in ["sev1", "sev2"]',
        declare=(),
        authorise=(),
        persons=2,
        divide_by=12,
        floor=timedelta(seconds=1),
        out_of_band=("tests", "sarif"),
        never_skip=(),
        expires_after=timedelta(hours=4),
        tests="",
        plan=None,
        debt_due=timedelta(hours=24),
        debt_owner="",
        keeps_approvals=False,
    )
    return replace(protocol, **changes)


def an_emergency(emergency_id: str = "em-1", **changes: Any) -> Emergency:
    """Return an emergency of `shop` that alice declared at `START`, with *changes* to its fields."""
    emergency = Emergency(
        id=EmergencyId(emergency_id),
        service=ServiceName("shop"),
        organisation=DEFAULT_ORGANISATION,
        project=DEFAULT_PROJECT,
        versions=(("code", CANDIDATE.name),),
        change=Change(components=(ComponentChange(component=ComponentName("code"), to=CANDIDATE),)),
        change_digest=DIGEST,
        incident="INC-1",
        claimed=(("severity", '"sev1"'),),
        measured=(("incident.id", '"INC-1"'),),
        known_alarms=(),
        reason="CVE-2030-1",
        protocol=a_protocol(),
        declared_by="alice",
        declared_person="alice",
        declared_at=START,
        declarer_counts=True,
        expires_at=START + timedelta(hours=4),
    )
    return replace(emergency, **changes)


def a_gate(kind: str = "tests", **changes: Any) -> GateSpec:
    """Return a gate of *kind* before the start, named like it, with *changes* to its fields."""
    gate = GateSpec(
        name=kind,
        kind=kind,
        moment=GateMoment.BEFORE_START,
        settings_json="{}",
        lasts=timedelta(days=7),
    )
    return replace(gate, **changes)


def an_evidence(kind: str = "tests", **changes: Any) -> GateEvidence:
    """Return a green answer of the gate *kind* about the change `DIGEST` of `shop`, with *changes*."""
    evidence = GateEvidence(
        id=f"evidence-{kind}",
        gate=kind,
        kind=kind,
        service=ServiceName("shop"),
        change_digest=DIGEST,
        verdict=GateVerdict.GREEN,
        because="all is well",
        facts=(),
        documents=(),
        measured_at=START,
        expires_at=START + timedelta(days=7),
        by="test",
    )
    return replace(evidence, **changes)
