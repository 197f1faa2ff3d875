"""Settings of gates that verify read back as what they were, which the plan's digest rests on."""

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
from keyless_gates import INSTANCE, RELEASE_WORKFLOW, SETTINGS
from pydantic import ValidationError
from signed_statements import RELEASE, SECOND, changed, public
from sigstore_authority import Instance

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
        "signature",
        {
            "identities": {
                "a": {"issuer": "https://issuer.example", "subject": "release@example.com"},
                "b": RELEASE_WORKFLOW,
            },
            "trusted_root": INSTANCE.root(),
        },
    ),
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


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("trusted_root.tlogs.0.publicKey.rawBytes", Instance(number=1).root()["tlogs"][0]),
        ("trusted_root.tlogs.0.publicKey.validFor.end", "2031-01-01T00:00:00Z"),
        ("identities.release.subject", "release@example.com"),
        ("identities.release.runner", "self-hosted"),
    ],
)
def test_another_identity_or_root_is_another_plan(path: str, value: Any, tmp_path: Path) -> None:
    """An approval is bound to who may sign and by whose word, and the resolved plan reads back."""
    written = value["publicKey"]["rawBytes"] if isinstance(value, dict) else value
    before, after = (
        read_service(
            FILE.partition("gates:")[0]
            + f"gates: {{before_start: [{{signature: {json.dumps(settings)}}}]}}\n",
            file="tidegate.yaml",
            base_dir=tmp_path,
        )
        for settings in (SETTINGS, changed(SETTINGS, path, written))
    )

    assert before.digest != after.digest
    assert from_document(to_document(after.spec)).plan.gates == after.spec.plan.gates


def root_without(path: str) -> dict[str, Any]:
    """Return the settings of identities with something missing in the trusted root."""
    return {**SETTINGS, "trusted_root": changed(INSTANCE.root(), path, ...)}


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ({**SETTINGS, "identities": {}}, "nobody may sign"),
        ({**SETTINGS, "trusted_root": None}, "need one another"),
        ({"keys": {"a": public(RELEASE)}, "trusted_root": INSTANCE.root()}, "need one another"),
        (
            {**SETTINGS, "identities": {"a": RELEASE_WORKFLOW, "b": RELEASE_WORKFLOW}},
            "the same identity",
        ),
        ({**SETTINGS, "keys": {"release": public(RELEASE)}}, "a key and an identity are called"),
        ({**SETTINGS, "threshold": 2}, "above the number of keys and identities, 1"),
        (root_without("mediaType"), "its mediaType must be"),
        (root_without("certificateAuthorities"), "no list certificateAuthorities"),
        (root_without("certificateAuthorities.0.certChain"), "has no certificate"),
        (root_without("certificateAuthorities.0.validFor"), "since when it is valid"),
        (root_without("timestampAuthorities.0.certChain"), "has no certificate"),
        (root_without("tlogs"), "no list tlogs"),
        (root_without("tlogs.0.publicKey.validFor.start"), "since when it is valid"),
        (root_without("ctlogs.0.publicKey.rawBytes"), "the public key of ctlogs, number 1,"),
        (
            {**SETTINGS, "trusted_root": {**INSTANCE.root(), "padding": "x" * 70_000}},
            "at most 65536 bytes",
        ),
        ({**SETTINGS, "trusted_root": {**INSTANCE.root(), "x": float("nan")}}, "this isn't"),
    ],
)
def test_settings_by_which_nothing_could_be_verified_are_refused(
    written: dict[str, Any], what: str
) -> None:
    """Before anybody waits for a gate that can't be met, or could be by strangers."""
    with pytest.raises(ValidationError, match=what):
        VERIFYING_KINDS["signature"].settings.model_validate(written)


def test_timestamps_may_be_missing_in_a_root() -> None:
    """An instance whose log promises the times needs no authority for them."""
    VERIFYING_KINDS["signature"].settings.model_validate(root_without("timestampAuthorities"))


@pytest.mark.parametrize(
    ("subject", "is_taken"),
    [
        ("release@example.com", True),
        ("*@example.com", True),
        ("https://github.com/example/*/.github/workflows/*.yml@refs/tags/v*", True),
        ("spiffe://example.com/ns/build/*", True),
        ("runner-7", True),
        ("*", False),
        ("*@*", False),
        ("release@*.com", False),
        ("a@b@*", False),
        ("https://*/example/shop", False),
        ("https://github.com/*", False),
        ("https://github.com/*/shop", False),
        ("https://github.com/ex*/shop", False),
        ("https://*@github.com/example/x", False),
        ("runner-*", False),
        ("", False),
        ("release @example.com", False),
        ("relea\u0455e@example.com", False),
        ("x" * 501, False),
    ],
)
def test_a_subject_opens_only_what_its_writer_has(subject: str, *, is_taken: bool) -> None:
    """A pattern that fits somebody else's repository or domain is refused."""
    written = {**SETTINGS, "identities": {"a": {**RELEASE_WORKFLOW, "subject": subject}}}
    model = VERIFYING_KINDS["signature"].settings

    if is_taken:
        model.model_validate(written)
        return
    with pytest.raises(ValidationError):
        model.model_validate(written)
