"""
The settings of gates that verify something submitted: tests, scans, signatures, provenance, review.

What the settings mean for an answer is the driver's business. Rule: a default is the strict choice;
leniency is written down by somebody, and is part of what an approval is bound to.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from tidegate.documents.canonical import canonical_json
from tidegate.documents.gates import GateKind, GateSettings
from tidegate.documents.notation import Duration, flaw
from tidegate.documents.signers import ONE_SIGNER, SignedSettings
from tidegate.domain.gates.model import GateSpec


def _as_list(written: Any) -> Any:
    return [written] if isinstance(written, str) else written


Words = Annotated[str, Field(min_length=1, max_length=500)]

Names = Annotated[
    list[Words],
    Field(max_length=100),
    BeforeValidator(_as_list),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 100},
            ]
        }
    ),
]
"""One text, or several; kept as a list."""

_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class JUnitSettings(GateSettings):
    """All tests that were run for the change passed; results come as JUnit XML."""

    suites: Names = Field(
        default_factory=list,
        description="Suites that must have run: the name of a testsuite, or of a submitted file.",
    )
    minimum: Annotated[int, Field(ge=1, le=10_000_000)] = Field(
        default=1, description="Fewest tests that must have run. Default 1."
    )
    skipped: _Share = Field(
        default=0.1, description="Largest share of tests that may be skipped. Default 0.1."
    )
    max_age: Duration = Field(
        default=timedelta(days=7),
        description="How old the oldest result may be. Default 7d.",
        json_schema_extra={"default": "7d"},
    )


TESTS: Final = "tests"
"""The kind of the gate that reads results of tests."""

IN_SHORT: Final = "-in-short"
"""How the name of a gate ends that an emergency adds. No gate that is written may be called so."""


def for_suite(spec: GateSpec, suite: str) -> GateSpec:
    """
    Return a gate of tests that wants *suite* alone, from what is submitted for the gate *spec*.

    A failure anywhere in that is red for it as well: it wants less to have run, and forgives nothing.
    """
    assert spec.kind == TESTS, f"{spec.name} is a gate of kind {spec.kind}"
    settings = {**json.loads(spec.settings_json), "suites": [suite], "minimum": 1}
    return replace(
        spec,
        name=f"{spec.name}{IN_SHORT}",
        settings_json=canonical_json(settings),
        reads=spec.name,
    )


_Level = Annotated[int, Field(ge=1, le=3)]
_Limit = Annotated[int, Field(ge=0)]


class SarifSettings(GateSettings):
    """
    Scans of the change found nothing new that is severe; results come as SARIF 2.1.0.

    High is a security severity from 7.0 or the level error, medium from 4.0 or warning, low the rest.
    """

    new_high: _Limit = Field(
        default=0, description="Most new findings of high severity. Default 0."
    )
    new_medium: _Limit | None = Field(
        default=None, description="Most new findings of medium severity. Default: any number."
    )
    new_low: _Limit | None = Field(
        default=None, description="Most new findings of low severity. Default: any number."
    )
    high: _Limit | None = Field(
        default=None, description="Most findings of high severity, old ones too. Default: any."
    )
    medium: _Limit | None = Field(
        default=None, description="Most findings of medium severity, old ones too. Default: any."
    )
    low: _Limit | None = Field(
        default=None, description="Most findings of low severity, old ones too. Default: any."
    )
    tools: Names = Field(
        default_factory=list, description="Tools that must have scanned, by their name in SARIF."
    )
    max_age: Duration = Field(
        default=timedelta(days=7),
        description="How old the oldest scan may be. Default 7d.",
        json_schema_extra={"default": "7d"},
    )


PROVENANCE_TYPE: Final = "https://slsa.dev/provenance/v1"

PLAIN_SIGNATURE: Final = "https://sigstore.dev/cosign/sign/v1"
"""That an artifact is signed, and nothing else about it; what a signature of its bytes says as well."""

AFFIRMING_TYPES: Final = (
    PLAIN_SIGNATURE,
    "https://in-toto.io/attestation/release/v0.1",
    PROVENANCE_TYPE,
)
"""Predicates that say nothing against the artifact, so that a signature is a yes."""

GITHUB_BUILDS: Final = (
    "https://actions.github.io/buildtypes/workflow/v1",
    "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
)


class SignatureSettings(SignedSettings):
    """Each changed artifact, or a statement about it, is signed by those who are trusted."""

    predicate_types: Names = Field(
        default_factory=lambda: list(AFFIRMING_TYPES),
        min_length=1,
        description="What such a statement may be. Default: a cosign signature, a release, provenance.",
    )


class ProvenanceSettings(SignedSettings):
    """Each changed artifact was built by a trusted builder from the expected source (SLSA v1)."""

    builder: Names = Field(
        default_factory=list, description="Ids of builders that are trusted up to `level`."
    )
    builders: Annotated[dict[Words, _Level], Field(max_length=50)] = Field(
        default_factory=dict, description="Ids of builders with the level each is trusted up to."
    )
    level: _Level = Field(default=2, description="SLSA Build level that is demanded. Default 2.")
    build_type: Names = Field(
        default_factory=lambda: list(GITHUB_BUILDS),
        min_length=1,
        description="How it may be built. Default: a workflow of GitHub Actions.",
    )
    source: Words = Field(description="The repository that it must be built from.")
    source_at: Words = Field(
        default="workflow.repository",
        description="External parameter that names the source. Default workflow.repository.",
    )
    ref: Names = Field(
        default_factory=lambda: ["refs/heads/main"],
        min_length=1,
        description="Refs it may be built from; * stands for one part. Default refs/heads/main.",
    )
    ref_at: Words = Field(
        default="workflow.ref",
        description="External parameter that names the ref. Default workflow.ref.",
    )
    parameters: Annotated[dict[Words, str | bool | int | list[str]], Field(max_length=100)] = Field(
        default_factory=dict,
        description="Other external parameters, by dotted name, with the value each must have.",
    )
    any_parameters: Names = Field(
        default_factory=list,
        description="Other external parameters that may have any value. All others are refused.",
    )
    max_age: Duration = Field(
        default=timedelta(days=30),
        description="How long ago the build may have ended. Default 30d.",
        json_schema_extra={"default": "30d"},
    )

    @model_validator(mode="after")
    def _trusts_somebody(self) -> Self:
        if not self.builder and not self.builders:
            raise flaw("no builder is trusted", "add `builder`, or `builders` with their levels")
        return self

    def trust_in(self, builder: str) -> int:
        """Return the level that *builder* is trusted up to, 0 when it isn't trusted at all."""
        return max(self.level if builder in self.builder else 0, self.builders.get(builder, 0))


_RefName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=200)]
_RefPattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/*-]*$", max_length=200)]
_CommitId = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]


class ReviewSettings(GateSettings):
    """What is deployed was reviewed, and is on the trunk or on a release branch of its repository."""

    repository: _RefName = Field(
        description="The repository, by its name in the folder that the server has them in."
    )
    components: Names = Field(
        default_factory=list,
        description="Components that are built from it. Default: all that change.",
    )
    tag: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]*\{version\}[A-Za-z0-9._/-]*$")] | None = (
        Field(
            default=None,
            description="How the commit of a version is tagged, as v{version}. "
            "Default: the version is a commit, or a statement says it.",
        )
    )
    trunk: _RefName = Field(default="main", description="The trunk. Default main.")
    release: _RefPattern = Field(
        default="release/*", description="Branches for releases. Default release/*."
    )
    branching: Literal["trunk", "release-flow"] = Field(
        default="release-flow",
        description="Whether release branches may be deployed. Default release-flow: they may.",
    )
    reviews: Annotated[int, Field(ge=0, le=9)] = Field(
        default=1, description="Other people who must have read each new commit. Default 1."
    )
    reviewers: Names = Field(
        default_factory=list,
        description="Addresses that count as reviewers, as *@example.com. Default: any.",
    )
    branch_age: Duration | None = Field(
        default=timedelta(days=14),
        description="How old work on a branch may be when it is merged. Default 14d.",
        json_schema_extra={"default": "14d"},
    )
    since: _CommitId | None = Field(
        default=None,
        description="Where to look from when it isn't known what was deployed before.",
    )


VERIFYING_KINDS: Final[Mapping[str, GateKind]] = {
    "tests": GateKind(
        what="all tests that were run for the change passed (JUnit XML)",
        lasts=timedelta(hours=24),
        settings=JUnitSettings,
        short="suites",
        takes_documents=True,
    ),
    "sarif": GateKind(
        what="scans found nothing new that is severe (SARIF 2.1.0)",
        lasts=timedelta(hours=24),
        settings=SarifSettings,
        takes_documents=True,
    ),
    "signature": GateKind(
        what="each artifact is signed by trusted keys or identities (DSSE, in-toto, Sigstore)",
        lasts=timedelta(hours=24),
        settings=SignatureSettings,
        takes_documents=True,
        one_of=ONE_SIGNER,
    ),
    "provenance": GateKind(
        what="each artifact was built by a trusted builder from the expected source (SLSA)",
        lasts=timedelta(hours=24),
        settings=ProvenanceSettings,
        takes_documents=True,
        one_of=ONE_SIGNER,
    ),
    "review": GateKind(
        what="new commits were reviewed, and are on the trunk or a release branch",
        lasts=timedelta(hours=1),
        settings=ReviewSettings,
        takes_documents=True,
    ),
}
