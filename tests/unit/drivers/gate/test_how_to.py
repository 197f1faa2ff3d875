"""What the pages about gates tell people to write and to run works."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from gate_questions import a_question
from keyless_gates import INSTANCE
from signed_statements import RELEASE, public

from tidegate.documents.service_file import read_service
from tidegate.domain.gates.model import GateVerdict
from tidegate.drivers.gate.signature import SignatureGate
from tidegate.testing.builders import CANDIDATE

PAGES = Path(__file__).parents[4] / "docs" / "how-to" / "gates"
KINDS = ("tests", "sarif", "signature", "provenance", "review")

SERVICE = """
version: 1
service: shop
owner: team-shop
workload:
  driver: process
  package: shop
  run: shop --port {port}
  probe: {http: /healthz}
  traffic: {driver: envoy, listen: "127.0.0.1:8080"}
targets: [eu-1]
"""


def block(kind: str, language: str) -> str:
    """Return the first block in *language* on the page about *kind*."""
    page = (PAGES / f"{kind}.md").read_text(encoding="utf-8")
    found = re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("kind", KINDS)
def test_the_gate_on_a_page_can_be_written(kind: str, tmp_path: Path) -> None:
    """Each page begins with a gate that this version takes."""
    found = read_service(SERVICE + block(kind, "yaml"), file="tidegate.yaml", base_dir=tmp_path)

    assert [gate.kind for gate in found.spec.plan.gates] == [kind]


@pytest.mark.parametrize("kind", ["signature", "provenance"])
def test_the_gate_of_identities_on_a_page_can_be_written(kind: str, tmp_path: Path) -> None:
    """With a trusted root on one line, as people paste it."""
    page = (PAGES / f"{kind}.md").read_text(encoding="utf-8")
    (written,) = re.findall(r"```yaml\n((?:(?!```).)*identities:.*?)```", page, re.DOTALL)
    root = json.dumps(INSTANCE.root())

    gate = re.sub(r"(?<=trusted_root: )\{.*\}", lambda _: root, written)
    found = read_service(SERVICE + gate, file="tidegate.yaml", base_dir=tmp_path)

    assert "…" not in gate
    assert json.loads(found.spec.plan.gates[0].settings_json)["trusted_root"] == INSTANCE.root()


async def test_what_is_signed_as_the_page_says_passes(tmp_path: Path) -> None:
    """The page's program makes an envelope that the gate takes for the right artifact only."""
    key = tmp_path / "release.key"
    key.write_bytes(RELEASE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    keys = {"keys": {"release": public(RELEASE)}}

    verdicts = []
    for digest in (CANDIDATE.digest.removeprefix("sha256:"), "f" * 64):
        words = [sys.executable, "-c", block("signature", "python"), "shop.whl", digest, str(key)]
        made = subprocess.run(words, check=True, capture_output=True).stdout
        answer = await SignatureGate().check(a_question("signature", keys, {"r.json": made}))
        verdicts.append(answer.verdict)

    assert verdicts == [GateVerdict.GREEN, GateVerdict.RED]
