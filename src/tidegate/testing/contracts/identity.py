"""
What holds for every identity provider, whatever its protocol. No test here may ask which one it is on.

A driver's test file subclasses this, gives the driver, and says how a person logs in.
"""

from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.drivers.clock.memory import START
from tidegate.errors import InvalidIdentityError
from tidegate.ports.identity import IdentityProvider, LoginAttempt, challenge_of

VERIFIER = "a-verifier-that-only-one-side-knows-0123456789"


def an_attempt() -> LoginAttempt:
    """Return a login that was just begun."""
    return LoginAttempt(
        redirect_uri="http://127.0.0.1:49152/callback",
        state="the state of this login",
        nonce="the-nonce-of-this-login",
        challenge=challenge_of(VERIFIER),
    )


class IdentityContract:
    """Tests of a provider at which a person called alice, who is `sub-1`, has an account."""

    @pytest.fixture
    def provider(self) -> IdentityProvider:
        """Return the driver."""
        raise NotImplementedError

    async def log_in(self, address: str) -> str:
        """Log alice in at *address* as her browser does; return the code that it brings back."""
        raise NotImplementedError

    async def test_who_comes_back_is_who_logged_in(self, provider: IdentityProvider) -> None:
        """The person, the name and the groups are the provider's word."""
        attempt = an_attempt()
        code = await self.log_in(await provider.address(attempt))

        vouched = await provider.vouch(attempt, code=code, verifier=VERIFIER)

        assert (vouched.person, vouched.name) == ("sub-1", "alice")
        assert vouched.groups == ("on-call", "payments")

    async def test_a_code_is_good_once(self, provider: IdentityProvider) -> None:
        """Whoever sees it afterwards has nothing."""
        attempt = an_attempt()
        code = await self.log_in(await provider.address(attempt))
        await provider.vouch(attempt, code=code, verifier=VERIFIER)

        with pytest.raises(InvalidIdentityError):
            await provider.vouch(attempt, code=code, verifier=VERIFIER)

    async def test_only_who_began_can_finish(self, provider: IdentityProvider) -> None:
        """A code that is caught on its way is worth nothing without the verifier."""
        attempt = an_attempt()
        code = await self.log_in(await provider.address(attempt))

        with pytest.raises(InvalidIdentityError):
            await provider.vouch(attempt, code=code, verifier=VERIFIER + "x")

    async def test_a_code_belongs_to_its_login(self, provider: IdentityProvider) -> None:
        """One of another login, as an attacker has of their own, isn't taken for this one's."""
        attempt = an_attempt()
        code = await self.log_in(await provider.address(attempt))

        with pytest.raises(InvalidIdentityError):
            await provider.vouch(replace(attempt, nonce="another"), code=code, verifier=VERIFIER)

    async def test_an_unknown_code_is_nobodys(self, provider: IdentityProvider) -> None:
        """A guess, an empty one and a long one are refused alike."""
        for code in ("guess", "", "x" * 4000):
            with pytest.raises(InvalidIdentityError):
                await provider.vouch(an_attempt(), code=code, verifier=VERIFIER)

    async def test_a_proof_of_before_is_not_a_fresh_one(self, provider: IdentityProvider) -> None:
        """Who was logged in already hasn't proved again who they are."""
        attempt = replace(an_attempt(), fresh_since=START + timedelta(days=365_00))
        code = await self.log_in(await provider.address(attempt))

        with pytest.raises(InvalidIdentityError):
            await provider.vouch(attempt, code=code, verifier=VERIFIER)
