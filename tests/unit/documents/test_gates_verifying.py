"""Settings of gates that verify read back as what they were, which the plan's digest rests on."""

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from signed_statements import RELEASE, SECOND, public

from tidegate.documents.gates import settings_json, settings_of
from tidegate.documents.gates_verifying import (
    VERIFYING_KINDS,
    JUnitSettings,
    ProvenanceSettings,
)
from tidegate.documents.resolved import from_document, to_document
from tidegate.documents.service_file import read_service

WRITTEN: list[tuple[str, dict[str, Any]]] = [
    ("tests", {}),
    ("tests", {"suites": "integration"}),
    ("tests", {"suites": ["a", "b"], "minimum": 20, "skipped": 0.0, "max_age": "36h"}),
    ("sarif", {}),
    ("signature", {"keys": {"a": public(RELEASE), "b": public(SECOND)}, "threshold": 2}),
    (
        "provenance",
        {
            "keys": {"a": public(RELEASE)},
            "builder": "https://builder.example",
            "builders": {"https://other.example": 3},
            "source": "https://github.com/example/shop",
            "ref": ["refs/tags/v*"],
            "parameters": {"a": True, "b": "x", "c": 3, "d": ["e"]},
            "any_parameters": ["f"],
            "max_age": "36h",
        },
    ),
    ("sarif", {"new_high": 2, "low": 9, "tools": "CodeQL"}),
]


@pytest.mark.parametrize(("kind", "written"), WRITTEN)
def test_settings_read_back(kind: str, written: dict[str, Any]) -> None:
    """What is hashed is what is asked."""
    model = VERIFYING_KINDS[kind].settings
    settings = model.model_validate(written)

    text = settings_json(settings)

    assert model.model_validate(json.loads(text)) == settings
    assert settings_json(model.model_validate(json.loads(text))) == text


@pytest.mark.parametrize("kind", VERIFYING_KINDS)
def test_an_unknown_setting_is_refused(kind: str) -> None:
    """A misspelt setting isn't a lenient one."""
    with pytest.raises(ValidationError):
        VERIFYING_KINDS[kind].settings.model_validate({"supposed": 1})


FILE = """
version: 1
service: checkout
owner: team-payments
workload:
  driver: process
  package: checkout
  run: checkout --port {port}
  probe: {http: /healthz}
  traffic: {driver: envoy, listen: "127.0.0.1:8080"}
targets: [eu-1]
gates:
  before_start:
    - {tests: integration}
    - tests: {name: end-to-end, suites: [browser, api]}
    - sarif
    - provenance:
        level: 3
        builder: https://builder.example
        source: https://github.com/example/shop
        keys:
          release: |
PEM
"""


def test_a_file_resolves_and_reads_back(tmp_path: Path) -> None:
    """Short forms, keys over several lines and settings without a default."""
    pem = textwrap.indent(public(RELEASE).strip(), " " * 12)
    text = FILE.replace("PEM", pem)

    found = read_service(text, file="tidegate.yaml", base_dir=tmp_path)

    gates = found.spec.plan.gates
    assert [gate.name for gate in gates] == ["tests", "end-to-end", "sarif", "provenance"]
    assert settings_of(gates[0], JUnitSettings).suites == ["integration"]
    assert settings_of(gates[1], JUnitSettings).suites == ["browser", "api"]
    assert settings_of(gates[3], ProvenanceSettings).trust_in("https://builder.example") == 3
    assert from_document(to_document(found.spec)).plan.gates == gates
