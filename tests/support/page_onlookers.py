"""
Browsers for tests of the pages: one that holds the page key, and one in which somebody has logged in.

`Page` reads an answer as a person would: its tags, its text, where its links lead.
"""

from html.parser import HTMLParser
from typing import Final

import httpx

from tidegate.api.app import create_app
from tidegate.api.pages.cookies import SESSION_COOKIE
from tidegate.api.tokens import page_key
from tidegate.domain.access.model import Caller
from tidegate.domain.access.sessions import SESSION_PREFIX, Session
from tidegate.domain.access.tokens import Identity
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.tokens import SESSIONS, digest_of, id_of, new_secret

SERVER_TOKEN: Final = "a-token-for-tests"
URL: Final = "http://127.0.0.1:7180"


class Page(HTMLParser):
    """The tags of a page with their attributes, its text, and where its links lead."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.status = answer.status_code
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note text, with one blank for any."""
        self.text += " ".join(data.split()) + " " if data.strip() else ""

    @property
    def links(self) -> list[str]:
        """Where its links lead, in their order."""
        return [attrs["href"] or "" for tag, attrs in self.tags if tag == "a" and "href" in attrs]

    @property
    def forms(self) -> list[str]:
        """Where its forms are sent, in their order."""
        return [attrs.get("action") or "" for tag, attrs in self.tags if tag == "form"]

    def is_plain(self) -> bool:
        """Return whether it has one heading, scopes on its headers, and nothing inline that runs."""
        names = [tag for tag, _ in self.tags]
        scoped = all("scope" in attrs for tag, attrs in self.tags if tag == "th")
        inline = any("style" in attrs or "onclick" in attrs for _, attrs in self.tags)
        return names.count("h1") == 1 and scoped and not inline and "style" not in names


def browser(world: MemoryWorld) -> httpx.AsyncClient:
    """Return a browser in front of a server over *world*, known as nobody."""
    app = create_app(world.outside, token=SERVER_TOKEN, version="0.1.0")
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url=URL)


async def key_holder(world: MemoryWorld) -> httpx.AsyncClient:
    """Return a browser that holds the page key, where names are claims."""
    client = browser(world)
    await client.get("/", params={"token": page_key(SERVER_TOKEN)})
    return client


def logged_in(world: MemoryWorld, caller: Caller) -> httpx.AsyncClient:
    """Return a browser in which *caller* has logged in a moment ago."""
    secret = new_secret(SESSION_PREFIX)
    digest, now = digest_of(secret), world.clock.now()
    identity = Identity(
        name=caller.name,
        kind=caller.kind,
        person=caller.person or caller.name,
        organisation=caller.organisation,
        since=now,
    )
    session = Session(
        id=id_of(digest),
        digest=digest,
        identity=identity,
        issuer="https://id.example",
        groups=caller.groups,
        authenticated_at=now,
        began_at=now,
        used_at=now,
    )
    with world.store.begin() as transaction:
        SESSIONS.put(transaction, session)
    client = browser(world)
    client.headers["cookie"] = f"{SESSION_COOKIE}={secret}"
    return client
