"""The OpenID Connect driver keeps the contract of its port, with a provider in a process of its own."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from oidc_provider import Provider, a_provider

from tidegate.drivers.clock.system import SystemClock
from tidegate.drivers.identity.oidc import OidcOptions, OidcProvider
from tidegate.testing.contracts.identity import IdentityContract


@pytest.fixture(scope="module")
def real() -> Iterator[Provider]:
    with a_provider() as provider:
        yield provider


class TestOidcIdentity(IdentityContract):
    @pytest.fixture
    async def provider(self, real: Provider) -> AsyncIterator[OidcProvider]:
        self.real = real
        async with httpx.AsyncClient(trust_env=False) as client:
            options = OidcOptions(issuer=real.issuer, client_id="tidegate", client_secret="s")
            yield OidcProvider(options, clock=SystemClock(), client=client)

    async def log_in(self, address: str) -> str:
        return self.real.code(address, "sub-1")
