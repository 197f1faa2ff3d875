"""
Who may sign without a key: an identity that a provider vouches for, as a certificate of Sigstore says it.

Rule: a pattern opens only what its writer has in hand. `*` stands for anything within one part, and never
for whose repository or whose mail it is: everybody can get a certificate for something of their own.

Source of what certificates say: Fulcio, `docs/oid-info.md`.
"""

import re
from typing import Annotated, Final, Literal

from pydantic import Field, WithJsonSchema

from tidegate.documents.components import Written
from tidegate.documents.notation import NotationError, checked_by, matching, shown

_ISSUER: Final = r"https://[A-Za-z0-9][A-Za-z0-9.:/_~-]{0,299}"
_LETTERS: Final = r"[!-~]{1,500}"
_OWNED: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/*@]+/[^/*@]+/.+")
"""An address below a first part that somebody owns: a host, and an organisation on it."""
_MAIL: Final = re.compile(r"[^@/]+@[^@/*]+")

_FIX: Final = (
    "write the whole subject, as https://github.com/example/shop/.github/workflows/release.yml"
    "@refs/tags/v* or release@example.com"
)


def parse_subject(written: object) -> str:
    """
    Return the subject of a certificate *written*: as it is, or with `*` for anything within one part.

    Parts end at `/` and at `@`.

    Raises:
        NotationError: it isn't printable ASCII, or `*` stands where it opens it to strangers.
    """
    if not isinstance(written, str) or not re.fullmatch(_LETTERS, written):
        raise NotationError(
            f"a subject is 1 to 500 letters without spaces, got {shown(written)}", _FIX
        )
    if "*" in written and not _OWNED.fullmatch(written) and not _MAIL.fullmatch(written):
        raise NotationError(
            f"{shown(written)} would let strangers sign: `*` can't stand for the host, for the"
            " organisation or for the domain",
            _FIX,
        )
    return written


Subject = Annotated[
    str,
    checked_by(parse_subject),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 500}),
]
_Issuer = Annotated[
    str,
    checked_by(
        matching(
            _ISSUER,
            "an issuer is the address of a provider of identities",
            "write it exactly, as https://token.actions.githubusercontent.com",
        )
    ),
    WithJsonSchema({"type": "string", "pattern": f"^{_ISSUER}$"}),
]

_Ref = Annotated[str, Field(pattern=r"^[!-~]+$", max_length=500)]


class Identity(Written):
    """One who may sign: all that is written must be in the certificate."""

    issuer: _Issuer = Field(description="The provider that vouches for it, exactly.")
    subject: Subject = Field(
        description="Who it is: a workflow with its ref, or an address of mail; * within one part."
    )
    source: Subject | None = Field(
        default=None, description="The repository it must have run for. Default: any."
    )
    ref: _Ref | None = Field(
        default=None, description="The ref of that repository; * within one part. Default: any."
    )
    workflow: Subject | None = Field(
        default=None,
        description="The workflow that was started, where the subject is one that it calls. "
        "Default: any.",
    )
    runner: Literal["github-hosted", "self-hosted"] | None = Field(
        default=None, description="On whose machine it must have run. Default: any."
    )
