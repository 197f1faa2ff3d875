"""Real bundles of the public instance pass, against its real root, and for nobody else."""

import json
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from gate_questions import a_change
from keyless_gates import INSTANCE, ask_provenance, ask_signature
from signed_statements import IN_TOTO, changed
from sigstore_authority import GITHUB

from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.plan.model import Change
from tidegate.domain.quantities import Version

GREEN, RED = GateVerdict.GREEN, GateVerdict.RED

FOLDER = Path(__file__).parents[3] / "support" / "sigstore_public"
ROOT = json.loads((FOLDER / "trusted_root.json").read_text(encoding="utf-8"))
MODELS = json.loads((FOLDER / "bundle.sigstore.json").read_text(encoding="utf-8"))
OWNER = "https://github.com/trailofbits"


def as_bundle(attestation: dict[str, Any]) -> dict[str, Any]:
    """Return an attestation in the form that PyPI keeps as the bundle it was made of."""
    material, envelope = attestation["verification_material"], attestation["envelope"]
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": {"rawBytes": material["certificate"]},
            "tlogEntries": material["transparency_entries"],
        },
        "dsseEnvelope": {
            "payload": envelope["statement"],
            "payloadType": IN_TOTO,
            "signatures": [{"sig": envelope["signature"]}],
        },
    }


BUILD = as_bundle(json.loads((FOLDER / "build.attestation.json").read_text(encoding="utf-8")))


def statement(bundle: dict[str, Any]) -> Any:
    """Return what is signed in *bundle*."""
    return json.loads(b64decode(bundle["dsseEnvelope"]["payload"]))


def change_to(bundle: dict[str, Any]) -> Change:
    """Return a change to the artifact that *bundle* is about."""
    digest = statement(bundle)["subject"][0]["digest"]["sha256"]
    return a_change(code=Version(name="1", digest=f"sha256:{digest}"))


def settings(bundle: dict[str, Any], repository: str, **identity: str) -> dict[str, Any]:
    """Return settings that take the workflow `release.yml` of *repository* on its tags."""
    workflow = f"{OWNER}/{repository}/.github/workflows/release.yml@refs/tags/v*"
    return {
        "identities": {
            "release": {
                "issuer": GITHUB,
                "subject": workflow,
                "source": f"{OWNER}/{repository}",
                "ref": "refs/tags/v*",
                "workflow": workflow,
                "runner": "github-hosted",
                **identity,
            }
        },
        "trusted_root": ROOT,
        "predicate_types": statement(bundle)["predicateType"],
    }


@pytest.mark.parametrize(
    ("bundle", "repository", "signed_at"),
    [
        (MODELS, "pypi-attestation-models", "2024-06-10T19:47:25Z"),
        (BUILD, "pypi-attestations", "2024-12-04T23:13:46Z"),
    ],
)
async def test_a_real_bundle_passes(
    bundle: dict[str, Any], repository: str, signed_at: str
) -> None:
    """It was made by other programs than ours, years ago."""
    answer = await ask_signature(
        bundle, settings=settings(bundle, repository), change=change_to(bundle)
    )

    assert answer.verdict is GREEN, answer.because
    assert ("code: release signed at", signed_at) in answer.facts


async def test_provenance_of_github_passes() -> None:
    """Read whole: builder, source, ref, workflow, and its age from the log."""
    expected = settings(BUILD, "pypi-attestations")
    del expected["predicate_types"]
    expected |= {
        "builder": f"{OWNER}/pypi-attestations/.github/workflows/release.yml@refs/tags/v0.0.19",
        "source": f"{OWNER}/pypi-attestations",
        "ref": "refs/tags/v*",
        "parameters": {"workflow.path": ".github/workflows/release.yml"},
    }
    a_week_later = datetime(2024, 12, 11, 23, 13, 46, tzinfo=UTC)

    answer = await ask_provenance(
        BUILD, settings=expected, change=change_to(BUILD), now=a_week_later
    )
    late = await ask_provenance(BUILD, settings=expected, change=change_to(BUILD))

    assert answer.verdict is GREEN, answer.because
    assert answer.lasts == timedelta(days=23)
    assert ("code: commit", "08802efe1f8e5fec4ad842d6b8ce97656092ee72") in answer.facts
    assert dict(late.facts)["failed check"] == "freshness"


@pytest.mark.parametrize(
    "identity",
    [
        {"issuer": "https://accounts.example"},
        {"subject": f"{OWNER}/other/.github/workflows/release.yml@refs/tags/v*"},
        {"source": f"{OWNER}/other"},
        {"ref": "refs/heads/main"},
        {"workflow": f"{OWNER}/other/.github/workflows/release.yml@refs/tags/v*"},
        {"runner": "self-hosted"},
    ],
)
async def test_a_real_bundle_is_nobody_elses(identity: dict[str, str]) -> None:
    """Each demand alone refuses it."""
    asked = settings(BUILD, "pypi-attestations", **identity)

    answer = await ask_signature(BUILD, settings=asked, change=change_to(BUILD))

    assert answer.verdict is RED
    assert dict(answer.facts)["failed check"] == "identity"


async def test_a_real_bundle_is_nothing_to_another_root() -> None:
    """Trust is what the settings say, and nothing that the library brings along."""
    asked = {**settings(BUILD, "pypi-attestations"), "trusted_root": INSTANCE.root()}

    answer = await ask_signature(BUILD, settings=asked, change=change_to(BUILD))

    assert answer.verdict is RED
    assert "no authority for certificates that was valid" in answer.because


async def test_an_authority_that_had_ended_certifies_nothing() -> None:
    """The public instance's first authority ended in 2022; with the second gone, nothing is left."""
    authorities = ROOT["certificateAuthorities"][:1]
    asked = {
        **settings(BUILD, "pypi-attestations"),
        "trusted_root": changed(ROOT, "certificateAuthorities", authorities),
    }

    answer = await ask_signature(BUILD, settings=asked, change=change_to(BUILD))

    assert answer.verdict is RED
    assert dict(answer.facts)["failed check"] == "certificate"
