"""
Texts that somebody edits, plans and forms: kept in memory for a while, so that an address can name one.

An address holds a digest of the text and not the text: it stays short, and nothing that was typed gets
into logs. A text is found only by its digest and only within the organisation that it was sent from.
"""

import hashlib
import threading
from collections import OrderedDict
from typing import Final

from tidegate.errors import InvalidRequestError, NotFoundError

MOST_CHARACTERS: Final = 64 * 1024
MOST_TEXTS: Final = 64


class KeptTexts:
    """The texts of one server, the oldest forgotten first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: OrderedDict[tuple[str, str], str] = OrderedDict()

    def keep(self, organisation: str, text: str) -> str:
        """Return the digest that *text* can be found by. Raises InvalidRequestError for a long one."""
        if len(text) > MOST_CHARACTERS:
            raise InvalidRequestError(
                f"the text has {len(text)} characters, at most {MOST_CHARACTERS} are kept",
                hint="simulate it on your own machine: tidegate simulate -f FILE",
            )
        digest = hashlib.sha256(text.encode()).hexdigest()
        with self._lock:
            self._texts[organisation, digest] = text
            self._texts.move_to_end((organisation, digest))
            while len(self._texts) > MOST_TEXTS:
                self._texts.popitem(last=False)
        return digest

    def find(self, organisation: str, digest: str) -> str:
        """Return the text of *digest*. Raises NotFoundError when it isn't kept any more, or never was."""
        with self._lock:
            text = self._texts.get((organisation, digest))
        if text is None:
            raise NotFoundError(
                f"the text {digest[:12]!r} isn't kept here any more",
                hint="texts are kept in memory only: put it in again at /simulate/edit",
            )
        return text
