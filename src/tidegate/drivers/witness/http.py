"""
A witness that is reached by HTTP: `POST` of a head keeps it, `GET` returns the last one.

It answers 2xx when the head is kept (again, too), 409 when it has another one of that number, 404 to
`GET` when it has none. The body of both is a head's one text, canonical JSON.
"""

from collections.abc import Sequence

from tidegate.documents.ledger.heads import head_text, read_head
from tidegate.domain.ledger.model import Head
from tidegate.drivers.egress.client import Answer, EgressClient
from tidegate.drivers.witness.refusals import another_head, cannot_keep
from tidegate.errors import EgressFailedError, EgressRefusedError, InvalidDocumentError

_CONFLICT = 409
_NOT_FOUND = 404


class HttpWitness:
    """Keeps heads at *url*, asked by *client*."""

    def __init__(self, url: str, client: EgressClient) -> None:
        self._url = url
        self._client = client

    @property
    def name(self) -> str:
        """Where it is, without a query, which may hold a secret."""
        return self._url.partition("?")[0]

    async def keep(self, heads: Sequence[Head]) -> None:
        """Keep *heads*; see the port."""
        for head in heads:
            answer = await self._asked("POST", head_text(head).encode("utf-8"))
            if answer.status == _CONFLICT:
                raise another_head(self.name, head)
            if not 200 <= answer.status < 300:
                raise cannot_keep(self.name, f"it answered HTTP {answer.status}")

    async def latest(self) -> Head | None:
        """Return the last head."""
        answer = await self._asked("GET", None)
        if answer.status == _NOT_FOUND:
            return None
        if answer.status != 200:
            raise cannot_keep(self.name, f"it answered HTTP {answer.status}")
        try:
            return read_head(answer.body.strip())
        except InvalidDocumentError as exc:
            raise cannot_keep(self.name, exc.message) from exc

    async def _asked(self, method: str, content: bytes | None) -> Answer:
        headers = {} if content is None else {"content-type": "application/json"}
        try:
            return await self._client.ask(method, self._url, content=content, headers=headers)
        except (EgressFailedError, EgressRefusedError) as exc:
            raise cannot_keep(self.name, exc.message) from exc
