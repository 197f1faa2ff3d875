"""
The server's own secrets: the token, which opens everything, and what is made from it, one way: the page
key, which only shows, and the seal of logins.

The page key is made from the token, one way. A browser sends its cookies to every port of a host, so a
service under rollout on the same machine may see it; it must not be able to halt or start anything
with what it sees.
"""

import hashlib
import hmac
from typing import Final

_PAGES: Final = b"tidegate pages 1"
_LOGIN: Final = b"tidegate login 1"


def page_key(token: str) -> str:
    """Return the key that opens the pages of the server with *token*."""
    return hmac.new(token.encode(), _PAGES, hashlib.sha256).hexdigest()


def login_seal(token: str) -> bytes:
    """Return the key that seals what travels in a login, of the server with *token*."""
    return hmac.new(token.encode(), _LOGIN, hashlib.sha256).digest()


def page_link(url: str, token: str) -> str:
    """Return the link that opens the pages of the server at *url* in a browser."""
    return f"{url.rstrip('/')}/?token={page_key(token)}"


def same(given: str, wanted: str) -> bool:
    """Return whether two secrets are equal, in a time that doesn't tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
