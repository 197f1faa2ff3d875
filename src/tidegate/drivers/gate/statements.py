"""
Signed statements about artifacts: the checks that signatures and provenance have in common, in order.

A statement that fails a check is refused with the check and the reason; whoever asks is told about the
one that came farthest. Rule: each changed component needs a statement about its very digest.

Source: in-toto Attestation Framework v1 (`spec/v1/statement.md`, `envelope.md`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tidegate.documents.gates_verifying import PLAIN_SIGNATURE
from tidegate.documents.signers import SignedSettings
from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.plan.model import ComponentChange
from tidegate.drivers.gate.bundles import Signed, read_signed
from tidegate.drivers.gate.checks import Check, RefusedError
from tidegate.drivers.gate.strict_json import (
    Object,
    as_object,
    object_in,
    objects_in,
    read_json,
    text_in,
)
from tidegate.drivers.gate.submitted import UnreadableError, answer, quoted, submitted, unknown
from tidegate.drivers.gate.verified import Verified, verify
from tidegate.ports.gate import GateAnswer, GateDocument, GateQuestion

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """
    What was signed and by whom, once its signatures were found good.

    `signed_at` is when at the latest, None when nobody has proven it; `told` says of certificates whose
    they are.
    """

    subjects: frozenset[str]
    predicate_type: str
    predicate: Object
    signers: frozenset[str]
    signed_at: datetime | None = None
    told: tuple[tuple[str, str], ...] = ()

    @property
    def signed_facts(self) -> tuple[tuple[str, str], ...]:
        """Who signed, for people."""
        return (("signed by", ", ".join(sorted(self.signers))), *self.told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """That a statement is as demanded: in words, with what it says, and for how long that is good."""

    because: str
    facts: tuple[tuple[str, str], ...] = ()
    lasts: timedelta | None = None


Examine = Callable[[Statement], Accepted]
"""Looks at what a statement about the right artifact says; raises `RefusedError`."""

_Checked = Statement | RefusedError


def judge(question: GateQuestion, settings: SignedSettings, examine: Examine) -> GateAnswer:
    """
    Return the answer of a gate on what is signed.

    Args:
        question: What is asked, with the documents that hold what was signed.
        settings: Who may sign, and how many of them must have.
        examine: What the gate demands of a statement about the right artifact.
    """
    parts = question.change.components
    documents: tuple[GateDocument, ...] = ()
    try:
        documents = submitted(question)
        things = [thing for document in documents for thing in _signed_in(document)]
        statements = [_checked(found) for found in verify(things, settings, question.now)]
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


def _signed_in(document: GateDocument) -> list[Signed]:
    try:
        return read_signed(document.content)
    except UnreadableError as exc:
        raise UnreadableError(f"{quoted(document.name)}: {exc}") from exc


def _checked(found: Verified | RefusedError) -> _Checked:
    """Return the statement that was signed, or why it is refused, whatever it is about."""
    if isinstance(found, RefusedError):
        return found
    try:
        return _opened(found)
    except RefusedError as exc:
        return exc
    except UnreadableError as exc:
        return RefusedError(Check.STATEMENT_TYPE, f"what was signed can't be read: {exc}")


def _opened(found: Verified) -> Statement:
    signed_at = min((one.signed_at for one in found.keyless), default=None)
    if found.payload is None:
        return Statement(
            subjects=frozenset({found.digest}),
            predicate_type=PLAIN_SIGNATURE,
            predicate={},
            signers=found.signers,
            signed_at=signed_at,
            told=_told(found),
        )
    statement = as_object(read_json(found.payload), "the statement")
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
        # PyPI writes null where a predicate has nothing to say.
        predicate={} if statement.get("predicate") is None else object_in(statement, "predicate"),
        signers=found.signers,
        signed_at=signed_at,
        told=_told(found),
    )


def _told(found: Verified) -> tuple[tuple[str, str], ...]:
    """Return what the certificates say of whoever signed, for people."""
    return tuple(
        fact
        for one in sorted(found.keyless, key=lambda one: one.name)
        for fact in (
            (f"{one.name} is", one.claims.subject),
            (f"{one.name} by", one.claims.issuer),
            (f"{one.name} signed at", one.signed_at.strftime("%Y-%m-%dT%H:%M:%SZ")),
        )
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
