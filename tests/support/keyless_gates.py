"""Gates that take identities, asked about bundles: what tests of keyless signatures have in common."""

import json
from typing import Any

from gate_questions import a_question
from signed_statements import BUILDER
from sigstore_authority import GITHUB, SOURCE, STARTED, WORKFLOW, Instance

from tidegate.domain.plan.model import Change
from tidegate.drivers.gate.provenance import ProvenanceGate
from tidegate.drivers.gate.signature import SignatureGate
from tidegate.ports.gate import GateAnswer

INSTANCE = Instance()

RELEASE_WORKFLOW: dict[str, Any] = {
    "issuer": GITHUB,
    "subject": WORKFLOW,
    "source": SOURCE,
    "ref": "refs/heads/*",
    "workflow": STARTED,
    "runner": "github-hosted",
}
SETTINGS: dict[str, Any] = {
    "identities": {"release": RELEASE_WORKFLOW},
    "trusted_root": INSTANCE.root(),
}
EXPECTED: dict[str, Any] = {
    **SETTINGS,
    "builder": BUILDER,
    "source": SOURCE,
    "parameters": {"workflow.path": ".github/workflows/release.yml"},
}


def sent(value: Any) -> bytes:
    """Return *value* as it is submitted; bytes stay as they are."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


async def ask_signature(
    *bundles: Any, settings: Any = None, change: Change | None = None, **question: Any
) -> GateAnswer:
    """Return the answer of the gate `signature` to *bundles*."""
    named = [(f"{number}.json", sent(one)) for number, one in enumerate(bundles, 1)]
    asked = a_question("signature", settings or SETTINGS, named, change=change, **question)
    return await SignatureGate().check(asked)


async def ask_provenance(
    *bundles: Any, settings: Any = None, change: Change | None = None, **question: Any
) -> GateAnswer:
    """Return the answer of the gate `provenance` to *bundles*."""
    named = [(f"{number}.json", sent(one)) for number, one in enumerate(bundles, 1)]
    asked = a_question("provenance", settings or EXPECTED, named, change=change, **question)
    return await ProvenanceGate().check(asked)
