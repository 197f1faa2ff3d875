"""
Who may sign what a gate reads: by public keys, or by identities with the root that vouches for them.

What a signature is worth is the driver's business. Rule: nobody counts twice, neither under two names nor
as a key and an identity of the same name.
"""

from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from tidegate.documents.gates import GateSettings
from tidegate.documents.identities import Identity
from tidegate.documents.notation import Name, flaw
from tidegate.documents.public_keys import KeyText, canonical_key
from tidegate.documents.trusted_roots import TrustedRoot

ONE_SIGNER: Final = ("keys", "identities")

Keys = Annotated[dict[Name, KeyText], Field(max_length=50)]
Identities = Annotated[dict[Name, Identity], Field(max_length=50)]


class SignedSettings(GateSettings):
    """What all gates on what is signed may be told."""

    keys: Keys = Field(
        default_factory=dict, description="Public keys that may sign, by a name for people."
    )
    identities: Identities = Field(
        default_factory=dict,
        description="Identities that may sign without a key (Sigstore), by a name for people.",
    )
    trusted_root: TrustedRoot | None = Field(
        default=None,
        description="The Sigstore instance that vouches for the identities; needed with them.",
    )
    threshold: Annotated[int, Field(ge=1, le=50)] = Field(
        default=1, description="How many of the keys and identities must have signed. Default 1."
    )

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if not self.keys and not self.identities:
            raise flaw("nobody may sign", "add `keys`, or `identities` with their `trusted_root`")
        if bool(self.identities) != (self.trusted_root is not None):
            raise flaw(
                "identities and the root that vouches for them need one another",
                "add `trusted_root`, the content of trusted_root.json"
                if self.identities
                else "add `identities`, or remove `trusted_root`",
            )
        if len({canonical_key(key) for key in self.keys.values()}) < len(self.keys):
            # One signature would count twice.
            raise flaw("two names stand for the same key", "remove one of them")
        if len({one.model_dump_json() for one in self.identities.values()}) < len(self.identities):
            raise flaw("two names stand for the same identity", "remove one of them")
        if twice := sorted(self.keys.keys() & self.identities.keys()):
            raise flaw(f"a key and an identity are called {twice[0]}", "give one another name")
        signer_count = len(self.keys) + len(self.identities)
        if self.threshold > signer_count:
            raise flaw(
                f"threshold is above the number of keys and identities, {signer_count}",
                f"write {signer_count}",
            )
        return self
