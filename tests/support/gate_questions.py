"""Questions for gates, ready to ask: a test names only the settings and what was submitted."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from tidegate.documents.gate_kinds import GATE_KINDS
from tidegate.domain.gates.model import GateMoment, GateSpec
from tidegate.domain.plan.model import Change, ComponentChange, TargetSpec
from tidegate.domain.quantities import ComponentName, ServiceName, Version
from tidegate.ports.gate import GateDocument, GateQuestion, KnownFacts
from tidegate.testing.builders import CANDIDATE, START

CHANGE_DIGEST = "sha256:" + "d" * 64

Submitted = Mapping[str, bytes] | Sequence[tuple[str, bytes]]


def a_change(**versions: Version) -> Change:
    """Return a change of components to *versions*; of `code` to the usual one without any."""
    chosen = versions or {"code": CANDIDATE}
    return Change(
        components=tuple(
            ComponentChange(component=ComponentName(name), to=version)
            for name, version in chosen.items()
        )
    )


def a_question(
    kind: str,
    settings: Any = None,
    submitted: Submitted = (),
    *,
    change: Change | None = None,
    submitted_at: datetime = START,
    now: datetime = START,
    known: KnownFacts | None = None,
    targets: tuple[TargetSpec, ...] = (),
) -> GateQuestion:
    """Return the question a gate of *kind* is asked, with what was *submitted* by name."""
    named = submitted.items() if isinstance(submitted, Mapping) else submitted
    return GateQuestion(
        spec=GateSpec(
            name=kind,
            kind=kind,
            moment=GateMoment.BEFORE_START,
            settings_json=json.dumps(_long_form(kind, settings)),
            lasts=timedelta(hours=24),
        ),
        service=ServiceName("shop"),
        change=change or a_change(),
        change_digest=CHANGE_DIGEST,
        plan_hash="sha256:" + "e" * 64,
        components=(),
        targets=targets,
        documents=tuple(
            a_document(f"doc-{number}", kind, name, content, submitted_at)
            for number, (name, content) in enumerate(named, 1)
        ),
        known=known or KnownFacts(),
        now=now,
    )


def a_document(
    document_id: str, gate: str, name: str, content: bytes, submitted_at: datetime = START
) -> GateDocument:
    """Return a document that was submitted for *gate* and the change of `a_question`."""
    return GateDocument(
        id=document_id,
        gate=gate,
        service=ServiceName("shop"),
        change_digest=CHANGE_DIGEST,
        name=name,
        content=content,
        digest=f"sha256:{sha256(content).hexdigest()}",
        submitted_at=submitted_at,
        by="alice",
    )


def _long_form(kind: str, settings: Any) -> Any:
    if settings is None:
        return {}
    return settings if isinstance(settings, dict) else {GATE_KINDS[kind].short: settings}
