"""What counts as a green gate: this question, answered, not too old and not from the future."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.domain.gates.model import (
    GateEvidence,
    GateMoment,
    GateSpec,
    GateState,
    GateVerdict,
    gate_seen,
)
from tidegate.domain.quantities import ServiceName
from tidegate.testing.builders import START

HOUR = timedelta(hours=1)
SPEC = GateSpec(
    name="scan",
    kind="sarif",
    moment=GateMoment.BEFORE_START,
    settings_json="{}",
    lasts=HOUR,
)
GREEN = GateEvidence(
    id="e-1",
    gate="scan",
    kind="sarif",
    service=ServiceName("shop"),
    change_digest="sha256:change",
    verdict=GateVerdict.GREEN,
    because="nothing new",
    facts=(),
    documents=(),
    measured_at=START,
    expires_at=START + HOUR,
    by="gate/sarif",
    bound_to="question",
)


@pytest.mark.parametrize(
    ("evidence", "after", "state"),
    [
        (None, timedelta(0), GateState.MISSING),
        (GREEN, timedelta(0), GateState.GREEN),
        (GREEN, HOUR - timedelta(microseconds=1), GateState.GREEN),
        (GREEN, HOUR, GateState.EXPIRED),
        (GREEN, -timedelta(microseconds=1), GateState.EXPIRED),
        (replace(GREEN, bound_to="another question"), timedelta(0), GateState.MISSING),
        (replace(GREEN, bound_to=""), timedelta(0), GateState.MISSING),
        (replace(GREEN, verdict=GateVerdict.RED), timedelta(0), GateState.RED),
        (replace(GREEN, verdict=GateVerdict.RED), HOUR, GateState.EXPIRED),
        (replace(GREEN, verdict=GateVerdict.UNKNOWN), timedelta(0), GateState.UNKNOWN),
    ],
)
def test_how_a_gate_stands(evidence, after, state):
    """Only a green answer to this very question lets exposure rise, and only in its time."""
    seen = gate_seen(SPEC, evidence, START + after, bound_to="question")

    assert (seen.state, seen.is_green) == (state, state is GateState.GREEN)
    assert seen.because
