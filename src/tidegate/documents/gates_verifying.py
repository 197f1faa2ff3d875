"""
The settings of gates that verify something submitted: tests, scans, signatures, provenance, review.

What the settings mean for an answer is the driver's business. Rule: a default is the strict choice;
leniency is written down by somebody, and is part of what an approval is bound to.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

from tidegate.documents.gates import GateKind, GateSettings
from tidegate.documents.notation import Duration


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
}
