"""
People in front of pages, without a browser: who looks, what they may send, and what a page says.

For tests over ASGI. Where names are claims a person comes by the link of `tidegate server page --as`; to be
somebody of another organisation, or somebody with few grants, tests say so with `looking_as`.
"""

from html.parser import HTMLParser

import httpx
import pytest

from tidegate.api.pages import guarding
from tidegate.api.pages.onlooker import Onlooker
from tidegate.api.tokens import acting_key, page_key
from tidegate.domain.access.model import Caller

TOKEN = "a-token-for-tests"
PORT = 7180


class Seen(HTMLParser):
    """A page as it was sent: its tags with their attributes, and its text with single spaces."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._words: list[str] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self._words += data.split()

    @property
    def text(self) -> str:
        """All of its text."""
        return " ".join(self._words)

    def with_id(self, element_id: str) -> dict[str, str | None] | None:
        """Return the attributes of the element with that id, None when there is none."""
        return next((attrs for _, attrs in self.tags if attrs.get("id") == element_id), None)

    def rows(self) -> list[str]:
        """Return the ids of its rows, in their order."""
        return [str(attrs["id"]) for _, attrs in self.tags if "data-row" in attrs]


def cookies_of(name: str = "") -> dict[str, str]:
    """Return what the browser of somebody sends who opened the link, to act as *name* if one is given."""
    key = f"tidegate_pages_{PORT}={page_key(TOKEN)}"
    return {"cookie": f"{key}; tidegate_as_{PORT}={name}" if name else key}


def acting_as(name: str) -> dict[str, str]:
    """Return what their page's script sends with a form."""
    return {
        **cookies_of(name),
        "tidegate-script": "1",
        "tidegate-acting": f"{name}.{acting_key(TOKEN, name)}",
    }


async def see(client: httpx.AsyncClient, path: str, name: str = "", *, status: int = 200) -> Seen:
    """Return what *name* (or somebody who only looks) sees at *path*, which answers *status*."""
    answer = await client.get(path, headers=cookies_of(name))
    assert answer.status_code == status, answer.text
    return Seen(answer.text)


def looking_as(monkeypatch: pytest.MonkeyPatch, caller: Caller) -> None:
    """Let whoever opens a page from here on be *caller*, logged in."""
    onlooker = Onlooker(caller=caller, actor=caller, session="s-1")
    monkeypatch.setattr(guarding, "find_onlooker", lambda _: onlooker)
