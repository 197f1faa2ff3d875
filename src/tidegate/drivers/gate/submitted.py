"""
What was submitted for a gate: which documents count, whether they are what they are filed as, how old.

Rule 1: a document that is submitted again under the same name replaces the earlier one; different names
add up. Rule 2: a document that can't be read, or isn't what the store says it is, never leads to green.

What a document means belongs to the reader of its format.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from tidegate.domain.gates.model import GateVerdict
from tidegate.ports.gate import GateAnswer, GateDocument, GateQuestion

MAXIMUM_BYTES: Final = 8 * 1024 * 1024
"""Above what the API takes, so that this bound is only met by other ways in."""

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far the clock of a build machine may be ahead of ours."""

LOCAL_TIME_SKEW: Final = timedelta(hours=14)
"""A time without a zone may be local: the farthest zone is UTC+14."""


class UnreadableError(ValueError):
    """A submitted document can't be understood; what it is about stays unknown."""


def submitted(question: GateQuestion) -> tuple[GateDocument, ...]:
    """
    Return the documents that count for *question*, the latest of each name, in order of first arrival.

    Raises:
        UnreadableError: there is none, or one of them isn't about this change or isn't whole.
    """
    latest = {document.name: document for document in question.documents}
    if not latest:
        raise UnreadableError("nothing was submitted for it")
    for document in latest.values():
        _check(document, question)
    return tuple(latest.values())


def _check(document: GateDocument, question: GateQuestion) -> None:
    name = quoted(document.name)
    if document.change_digest != question.change_digest:
        raise UnreadableError(f"{name} was submitted for another change")
    if document.service != question.service:
        raise UnreadableError(f"{name} was submitted for another service")
    if document.digest != f"sha256:{sha256(document.content).hexdigest()}":
        raise UnreadableError(f"{name} isn't what was submitted: its digest differs")
    if len(document.content) > MAXIMUM_BYTES:
        raise UnreadableError(f"{name} is larger than {MAXIMUM_BYTES} bytes")


def unknown(because: str, documents: Sequence[GateDocument] = ()) -> GateAnswer:
    """Return the answer that it can't be told, with the reason."""
    return answer(GateVerdict.UNKNOWN, because, documents)


def answer(
    verdict: GateVerdict,
    because: str,
    documents: Sequence[GateDocument],
    facts: Sequence[tuple[str, str]] = (),
    lasts: timedelta | None = None,
) -> GateAnswer:
    """Return the answer *verdict*, from *documents*."""
    return GateAnswer(
        verdict=verdict,
        because=because,
        facts=tuple(facts),
        documents=tuple(document.id for document in documents),
        lasts=lasts,
    )


def read_time(text: str) -> datetime:
    """
    Return the time that *text* says (ISO 8601); without a zone it is taken as UTC.

    Raises:
        UnreadableError: it isn't one.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as exc:
        raise UnreadableError(f"{quoted(text)} isn't a time") from exc


def has_zone(text: str) -> bool:
    """Return whether the readable time *text* says its zone."""
    return datetime.fromisoformat(text.strip()).tzinfo is not None


def quoted(text: object, length: int = 80) -> str:
    """Return *text* from a document as sentences quote it: one line, cut, nothing unprintable."""
    shown = "".join(sign if sign.isprintable() else "·" for sign in str(text)[: length + 1])
    return f"`{shown}`" if len(shown) <= length else f"`{shown[: length - 1]}…`"
