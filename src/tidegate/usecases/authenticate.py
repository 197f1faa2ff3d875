"""
Whose a secret is: what a request that comes with it is known as.

The server's own token isn't here: it is compared by the API, and works when the store can't be read.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidegate.domain.access.model import Caller
from tidegate.usecases.outside import Outside
from tidegate.usecases.tokens import find_api_token


class Means(StrEnum):
    """By what somebody is known."""

    SERVER_TOKEN = "server_token"  # noqa: S105 - the name of a means
    """The token in the server's state folder: whoever can read it may do everything, under any name."""
    API_TOKEN = "api_token"  # noqa: S105 - the name of a means
    HOOK = "hook"
    """A signature over the message by the secret of a hook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """
    A caller with how they are known.

    `id` is that of the token, empty for the server's own. `until` is when it ends by itself, None for
    never.
    """

    caller: Caller
    means: Means
    id: str = ""
    until: datetime | None = None


def known_by(outside: Outside, secret: str) -> Known | None:
    """
    Return who sends a request that comes with *secret*, None when nobody may.

    Raises:
        StoreError: it can't be looked up; nobody is let in.
    """
    with outside.store.begin(read_only=True) as transaction:
        token = find_api_token(transaction, secret, now=outside.clock.now())
    if token is None:
        return None
    return Known(caller=token.caller(), means=Means.API_TOKEN, id=token.id, until=token.expires_at)
