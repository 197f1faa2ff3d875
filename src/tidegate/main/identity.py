"""The identity provider that is set, with its secret."""

from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tidegate.drivers.clock.system import SystemClock
from tidegate.errors import (
    StoreError,
)
from tidegate.settings import Settings

if TYPE_CHECKING:
    from tidegate.drivers.identity.oidc import OidcProvider


def identity_of(
    settings: Settings, clock: SystemClock, client: httpx.AsyncClient
) -> "OidcProvider | None":
    """
    Return the identity provider that is set, None when none is.

    Raises:
        IdentityProviderError: its address can't be used.
        StoreError: the file with the secret can't be read.
    """
    if settings.oidc_issuer is None:
        return None
    # What checks signed tokens is needed only where people log in.
    from tidegate.drivers.identity.oidc import OidcOptions, OidcProvider

    options = OidcOptions(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=_secret(settings.oidc_client_secret_file),
        audience=settings.oidc_audience or "",
        person_claim=settings.oidc_person_claim,
        name_claim=settings.oidc_name_claim,
        groups_claim=settings.oidc_groups_claim,
        algorithms=tuple(settings.oidc_algorithms.split(",")),
    )
    return OidcProvider(options, clock=clock, client=client)


def _secret(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise StoreError(
            f"{path} can't be read: {exc.strerror}",
            hint="correct TIDEGATE_OIDC_CLIENT_SECRET_FILE; the server's user must be able to read it",
        ) from exc
    if not secret:
        # An empty secret would quietly make this a public client.
        raise StoreError(f"{path} is empty", hint="put the secret there that the provider gave")
    return secret
