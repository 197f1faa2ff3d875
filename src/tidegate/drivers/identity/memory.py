"""An identity provider without a browser, for tests: whoever is named in the code comes back."""

from tidegate.errors import InvalidIdentityError
from tidegate.ports.identity import LoginAttempt, Vouched, challenge_of


class MemoryIdentity:
    """Vouches for the people that it was told of, each code once; see the port."""

    def __init__(self) -> None:
        self._codes: dict[str, tuple[LoginAttempt, Vouched]] = {}
        self._asked: dict[str, LoginAttempt] = {}

    async def address(self, attempt: LoginAttempt) -> str:
        """Return an address that leads nowhere; `log_in` goes there in the browser's place."""
        address = f"https://provider.example/authorize?state={attempt.state}"
        self._asked[address] = attempt
        return address

    def log_in(self, address: str, person: Vouched) -> str:
        """Return the code that *person* comes back with from *address*."""
        code = f"code-{len(self._codes)}"
        self._codes[code] = (self._asked[address], person)
        return code

    async def vouch(self, attempt: LoginAttempt, *, code: str, verifier: str) -> Vouched:
        """Return who came back with *code*."""
        asked, person = self._codes.pop(code, (None, None))
        if (
            asked is None
            or person is None
            or asked.nonce != attempt.nonce
            or asked.redirect_uri != attempt.redirect_uri
            or challenge_of(verifier) != attempt.challenge
        ):
            raise InvalidIdentityError("the code isn't this login's", hint="log in again")
        if attempt.fresh_since is not None and (
            person.authenticated_at is None or person.authenticated_at < attempt.fresh_since
        ):
            raise InvalidIdentityError("the person didn't prove again who they are", hint="again")
        return person
