"""
What a consumer of configuration files does: the reference, for services to copy or import.

It takes `desired.json` from its folder, serves the document if it's good, keeps it as
`last_good.json` so that it starts again without anybody's help, and answers in `applied.json` what
it really serves. A document that doesn't match its digest, or that the service refuses, changes
nothing but the answer. An older generation than was seen before is ignored: it is a late write.

Standard library only: a service needs nothing of Tidegate to follow it.
"""

import json
import os
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

BEFORE_DOCUMENT = ',"document":'
AFTER_DOCUMENT = ',"generation":'


class FileConsumer:
    """
    Follows the documents in *folder*.

    Args:
        folder: Where `desired.json` appears and the answers go.
        check: Called with each new document before it is served; raises ValueError to refuse it.

    Attributes:
        document: What is served now; None until there was one.
        digest: Its digest; empty until there was one.
        generation: The newest generation that was seen, served or refused.
    """

    def __init__(self, folder: Path, check: Callable[[Any], None] | None = None) -> None:
        self._folder = folder
        self._check = check
        self.document: Any = None
        self.digest = ""
        self.generation = 0
        self._error: str | None = None
        self._answered: tuple[int, str] | None = None
        self._start_from_last_good()

    def poll(self) -> bool:
        """Look for a new document; return whether another one is served now."""
        desired = _read(self._folder / "desired.json")
        if desired is None:
            return False
        text, fields = desired
        generation, digest = fields["generation"], fields["digest"]
        if generation < self.generation or (generation, digest) == self._answered:
            return False
        served_before = self.digest
        self._error = self._refusal(text, fields)
        if self._error is None:
            _write(self._folder / "last_good.json", text)
            self.document, self.digest = fields["document"], digest
        self.generation = generation
        self._answer()
        self._answered = (generation, digest)
        return self.digest != served_before

    def _start_from_last_good(self) -> None:
        last_good = _read(self._folder / "last_good.json")
        if last_good is not None:
            text, fields = last_good
            if self._refusal(text, fields) is None:
                self.document, self.digest = fields["document"], fields["digest"]
                self.generation = fields["generation"]
        answered = _read(self._folder / "applied.json")
        if answered is not None:
            self.generation = max(self.generation, answered[1]["generation"])
        if self.generation:
            self._answer()

    def _refusal(self, text: str, fields: dict[str, Any]) -> str | None:
        if digest_in(text) != fields["digest"]:
            return "the document doesn't match its digest"
        if self._check is None:
            return None
        try:
            self._check(fields["document"])
        except ValueError as exc:
            return str(exc) or "the document was refused"
        return None

    def _answer(self) -> None:
        answer = {"generation": self.generation, "digest": self.digest, "error": self._error}
        _write(self._folder / "applied.json", json.dumps(answer))


def digest_in(text: str) -> str:
    """
    Return the digest of the document inside the text of a `desired.json`.

    The text is `{"digest":…,"document":…,"generation":…}` without spaces; the digest is that of the
    document's own text in it, so nobody has to write JSON in one canonical way to check it.
    """
    start = text.find(BEFORE_DOCUMENT) + len(BEFORE_DOCUMENT)
    document = text[start : text.rfind(AFTER_DOCUMENT)]
    return f"sha256:{sha256(document.encode()).hexdigest()}"


def _read(path: Path) -> tuple[str, dict[str, Any]] | None:
    try:
        text = path.read_text(encoding="utf-8")
        return text, json.loads(text)
    except (OSError, ValueError):
        return None  # not there yet, or torn by a full disk: the next look may find it whole


def _write(path: Path, text: str) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)
