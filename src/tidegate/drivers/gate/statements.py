"""
Signed statements about artifacts: the checks that signatures and provenance have in common, in order.

A statement that fails a check is refused with the check and the reason; whoever asks is told about the
one that came farthest. Rule: each changed component needs a statement about its very digest.

Source: in-toto Attestation Framework v1 (`spec/v1/statement.md`, `envelope.md`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Final

from tidegate.documents.public_keys import PublicKey, parse_public_key
from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.plan.model import ComponentChange
from tidegate.drivers.gate.dsse import Envelope, read_envelopes, signers
from tidegate.drivers.gate.strict_json import (
    Object,
    as_object,
    object_in,
    objects_in,
    read_json,
    text_in,
)
from tidegate.drivers.gate.submitted import UnreadableError, answer, quoted, submitted, unknown
from tidegate.ports.gate import GateAnswer, GateDocument, GateQuestion

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class Check(IntEnum):
    """The checks of a statement, in their order."""

    PAYLOAD_TYPE = 1
    SIGNATURES = 2
    STATEMENT_TYPE = 3
    SUBJECT = 4
    PREDICATE_TYPE = 5
    BUILDER = 6
    BUILD_TYPE = 7
    SOURCE = 8
    PARAMETERS = 9
    FRESHNESS = 10
    LEVEL = 11


class RefusedError(Exception):
    """A statement fails a check."""

    def __init__(self, check: Check, because: str) -> None:
        super().__init__(because)
        self.check = check
        self.because = because


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What was signed and by whom, once its signatures were found good."""

    subjects: frozenset[str]
    predicate_type: str
    predicate: Object
    signers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """That a statement is as demanded: in words, with what it says, and for how long that is good."""

    because: str
    facts: tuple[tuple[str, str], ...] = ()
    lasts: timedelta | None = None


Examine = Callable[[Statement], Accepted]
"""Looks at what a statement about the right artifact says; raises `RefusedError`."""

_Checked = Statement | RefusedError


def judge(
    question: GateQuestion, keys: Mapping[str, str], threshold: int, examine: Examine
) -> GateAnswer:
    """
    Return the answer of a gate on signed statements.

    Args:
        question: What is asked, with the documents that hold the statements.
        keys: Public keys that may sign, as text, by name.
        threshold: How many different ones of them must have signed.
        examine: What the gate demands of a statement about the right artifact.
    """
    parts = question.change.components
    known = {name: parse_public_key(text) for name, text in keys.items()}
    documents: tuple[GateDocument, ...] = ()
    try:
        documents = submitted(question)
        statements = [
            _checked(envelope, known, threshold)
            for document in documents
            for envelope in _envelopes_of(document)
        ]
    except UnreadableError as exc:
        return unknown(f"no signed statement is known: {exc}", documents)
    if not parts:
        return unknown("the change holds no artifact", documents)
    found: list[Accepted] = []
    for part in parts:
        try:
            found.append(_best(part, statements, examine))
        except RefusedError as exc:
            because = f"{part.component} {quoted(part.to.name)} is refused: {exc.because}"
            facts = [("failed check", exc.check.name.lower().replace("_", " "))]
            return answer(GateVerdict.RED, because, documents, facts)
    because = "; ".join(
        f"{part.component} {part.to.name} {one.because}"
        for part, one in zip(parts, found, strict=True)
    )
    facts = [
        (f"{part.component}: {name}", value)
        for part, one in zip(parts, found, strict=True)
        for name, value in one.facts
    ]
    lasts = min((one.lasts for one in found if one.lasts is not None), default=None)
    return answer(GateVerdict.GREEN, because, documents, facts, lasts)


def _envelopes_of(document: GateDocument) -> list[Envelope]:
    try:
        return read_envelopes(document.content)
    except UnreadableError as exc:
        raise UnreadableError(f"{quoted(document.name)}: {exc}") from exc


def _checked(envelope: Envelope, keys: Mapping[str, PublicKey], threshold: int) -> _Checked:
    """Return the statement in *envelope*, or why it is refused, whatever it is about."""
    try:
        return _opened(envelope, keys, threshold)
    except RefusedError as exc:
        return exc
    except UnreadableError as exc:
        return RefusedError(Check.STATEMENT_TYPE, f"what was signed can't be read: {exc}")


def _opened(envelope: Envelope, keys: Mapping[str, PublicKey], threshold: int) -> Statement:
    if envelope.payload_type != PAYLOAD_TYPE:
        raise RefusedError(
            Check.PAYLOAD_TYPE, f"{quoted(envelope.payload_type)} was signed, not a statement"
        )
    by = signers(envelope, keys)
    if len(by) < threshold:
        wanted = "a trusted key" if threshold == 1 else f"{threshold} trusted keys"
        raise RefusedError(
            Check.SIGNATURES,
            f"it isn't signed by {wanted}, but by {', '.join(sorted(by)) or 'none'}",
        )
    statement = as_object(read_json(envelope.payload), "the statement")
    if statement.get("_type") != STATEMENT_TYPE:
        raise RefusedError(
            Check.STATEMENT_TYPE, f"{quoted(statement.get('_type'))} isn't an in-toto statement v1"
        )
    return Statement(
        subjects=frozenset(
            f"sha256:{text_in(object_in(subject, 'digest'), 'sha256')}"
            for subject in objects_in(statement, "subject")
        ),
        predicate_type=text_in(statement, "predicateType") or "",
        predicate=object_in(statement, "predicate"),
        signers=by,
    )


def _best(part: ComponentChange, statements: Sequence[_Checked], examine: Examine) -> Accepted:
    """
    Return what is known of the artifact *part* goes to by the statement that passes.

    Raises:
        RefusedError: none passes; it is that of the one which came farthest.
    """
    refusals: list[RefusedError] = []
    for statement in statements:
        try:
            return _examined(part, statement, examine)
        except RefusedError as exc:
            refusals.append(exc)
    raise max(refusals, key=lambda refusal: refusal.check)


def _examined(part: ComponentChange, statement: _Checked, examine: Examine) -> Accepted:
    if isinstance(statement, RefusedError):
        raise statement
    digest = part.to.digest
    if not _DIGEST.fullmatch(digest) or digest not in statement.subjects:
        raise RefusedError(Check.SUBJECT, f"nothing that was signed is about {digest}")
    try:
        return examine(statement)
    except UnreadableError as exc:
        raise RefusedError(Check.PREDICATE_TYPE, f"what was signed can't be read: {exc}") from exc
