"""
The server's own secrets: the token, which opens everything, and what is made from it, one way: the page
key, which only shows, the acting key, which lets a page act under one name, and the seals.

A browser sends its cookies to every port of a host, so a service under rollout on the same machine may
see the page key; it must not be able to halt or start anything with what it sees. The acting key is for
that reason never in a cookie and never in a request line: it arrives in the fragment of a link, which
browsers don't send, is kept per origin, port included, and goes out in a header alone.
"""

import hashlib
import hmac
from typing import Final

_PAGES: Final = b"tidegate pages 1"
_LOGIN: Final = b"tidegate login 1"
_ACTING: Final = b"tidegate pages act 1\n"
_FORMS: Final = b"tidegate page forms 1\n"


def page_key(token: str) -> str:
    """Return the key that opens the pages of the server with *token*."""
    return hmac.new(token.encode(), _PAGES, hashlib.sha256).hexdigest()


def login_seal(token: str) -> bytes:
    """Return the key that seals what travels in a login, of the server with *token*."""
    return hmac.new(token.encode(), _LOGIN, hashlib.sha256).digest()


def acting_key(token: str, name: str) -> str:
    """Return the key with which pages act as *name*, on the server with *token*, where names are claims."""
    return hmac.new(token.encode(), _ACTING + name.encode(), hashlib.sha256).hexdigest()


def form_seal(token: str, session: str, nonce: str) -> str:
    """
    Return what the forms of a page send back, so that no other site can have made them.

    Bound to the *session*. With a new *nonce* per page, so that no compressed answer repeats it.
    """
    said = _FORMS + f"{session}\n{nonce}".encode()
    return hmac.new(token.encode(), said, hashlib.sha256).hexdigest()


def page_link(url: str, token: str, acting_as: str | None = None, *, path: str = "/") -> str:
    """
    Return the link that opens the pages of the server at *url* in a browser, at *path*.

    With *acting_as* its holder can also act there, under that name, where names are claims.
    """
    link = f"{url.rstrip('/')}{path}?token={page_key(token)}"
    if acting_as is None:
        return link
    return f"{link}#as={acting_as}.{acting_key(token, acting_as)}"


def same(given: str, wanted: str) -> bool:
    """Return whether two secrets are equal, in a time that doesn't tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
