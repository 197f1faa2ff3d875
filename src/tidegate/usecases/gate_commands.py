"""
Giving a gate what it judges, and asking gates again: commands on the bus.

What is submitted is about one change: versions are resolved here, by digest, so that results of one
artifact can't speak for another. Nothing is judged here; the gate's driver reads the bytes.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from tidegate.documents.canonical import change_digest, digest_of_bytes
from tidegate.documents.notation import NAME_PATTERN
from tidegate.domain.access.model import Caller, Resource
from tidegate.domain.access.permissions import Permission
from tidegate.domain.plan.model import Change
from tidegate.domain.quantities import RolloutId, ServiceName
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import InvalidRequestError, NotFoundError, RefusedError
from tidegate.ports.store import Transaction
from tidegate.usecases.bus import Command
from tidegate.usecases.gate_records import (
    ASK_AGAIN,
    CONTENTS,
    SUBMITTED,
    AskAgain,
    KeptContent,
    Submitted,
    SubmittedNote,
    submitted_for,
)
from tidegate.usecases.outside import Outside
from tidegate.usecases.record import note_fact
from tidegate.usecases.resources import resource_of_named
from tidegate.usecases.rollout_command import RolloutCommand
from tidegate.usecases.service_health import stored_spec
from tidegate.usecases.start import resolve_change

LARGEST_DOCUMENT: Final = 1024 * 1024
"""Bytes. Reports that are larger are cut by whoever makes them: only what is judged is needed."""

MOST_DOCUMENTS: Final = 50
"""Of one gate about one change."""

LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceSubmitted:
    """
    What was submitted, about which change.

    `is_asked_for` is whether the service's latest document has a gate of that name; `rollouts` are
    the unfinished ones that carry out this very change.
    """

    service: ServiceName
    gate: str
    change: Change
    change_digest: str
    note: SubmittedNote
    is_asked_for: bool
    rollouts: tuple[RolloutId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitEvidence(Command[EvidenceSubmitted]):
    """
    Give the gate *gate* of a service a document about a change.

    `change` is versions by component; without any it is the change that moves the service now. `name`
    is what people call the document, as the name of its file.
    """

    permission: ClassVar[Permission] = Permission.SUBMIT_EVIDENCE

    service: str
    gate: str
    change: Mapping[str, str]
    name: str
    content: bytes

    def touches(self, outside: Outside, caller: Caller) -> Resource:
        """Return the service."""
        return resource_of_named(outside, caller, self.service)

    async def carry_out(self, outside: Outside, caller: Caller) -> EvidenceSubmitted:
        """
        Keep the document and wake what waits for it.

        Raises:
            NotFoundError: there is no such service.
            InvalidRequestError: there is nothing to judge, too much, or no such component.
            VersionNotFoundError: there is no such version.
            RefusedError: the gate has been given too many already.
        """
        _check(self)
        with outside.store.begin(read_only=True) as transaction:
            spec = stored_spec(transaction, ServiceName(self.service))
        if self.change:
            change = await resolve_change(outside, spec, self.change)
        else:
            change = _moving_now(outside, spec.name)
        digest = change_digest(change)
        now = outside.clock.now()
        note = SubmittedNote(
            name=self.name,
            digest=digest_of_bytes(self.content),
            size=len(self.content),
            at=now,
            by=caller.name,
        )
        with outside.store.begin() as transaction:
            _keep(transaction, self, spec.name, digest, note)
            note_fact(
                transaction,
                at=now,
                actor=caller.name,
                kind="evidence",
                rule="submit-evidence",
                because=f"{note.name} for gate {self.gate}",
                service=spec.name,
                details={
                    "gate": self.gate,
                    "change_digest": digest,
                    "document": note.digest,
                    "bytes": note.size,
                    "person": caller.person,
                },
            )
            waiting = _carried_out_by(transaction, spec.name, digest)
        for rollout_id in waiting:
            outside.wake(rollout_id)
        return EvidenceSubmitted(
            service=spec.name,
            gate=self.gate,
            change=change,
            change_digest=digest,
            note=note,
            is_asked_for=any(gate.name == self.gate for gate in spec.plan.gates),
            rollouts=waiting,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckGates(RolloutCommand):
    """Ask the gates of a rollout again at once; what they say comes by itself."""

    permission: ClassVar[Permission] = Permission.SUBMIT_EVIDENCE

    async def carry_out(self, outside: Outside, caller: Caller) -> Rollout:
        """Note the wish and wake the rollout."""
        found = self.found(outside, caller)
        now = outside.clock.now()
        with outside.store.begin() as transaction:
            ASK_AGAIN.put(transaction, AskAgain(rollout_id=found.id, by=caller.name, at=now))
            note_fact(
                transaction,
                at=now,
                actor=caller.name,
                kind="command",
                rule="check-gates",
                because="asked again",
                service=found.service,
                rollout_id=found.id,
            )
        outside.wake(found.id)
        return found


def _check(submit: SubmitEvidence) -> None:
    if not re.fullmatch(NAME_PATTERN, submit.gate):
        raise InvalidRequestError(
            f"a gate's name is made of small letters, digits and hyphens, got {submit.gate[:64]!r}",
            hint="take the name that stands in `gates:`; `tidegate gate list` shows them",
        )
    if not 0 < len(submit.content) <= LARGEST_DOCUMENT:
        raise InvalidRequestError(
            f"a document has 1 to {LARGEST_DOCUMENT} bytes, got {len(submit.content)}",
            hint="leave out of a report what no gate reads, or submit it in parts",
        )
    if not submit.name.strip() or len(submit.name) > LONGEST_NAME or not submit.name.isprintable():
        raise InvalidRequestError(
            f"a document has a name of 1 to {LONGEST_NAME} printable characters",
            hint="take the name of its file",
        )


def _moving_now(outside: Outside, service: ServiceName) -> Change:
    with outside.store.begin(read_only=True) as transaction:
        active = transaction.active_rollout(service)
    if active is None:
        raise NotFoundError(
            f"nothing moves {service} now",
            hint="say what the document is about: --change COMPONENT=VERSION",
        )
    return active.change


def _keep(
    transaction: Transaction,
    submit: SubmitEvidence,
    service: ServiceName,
    digest: str,
    note: SubmittedNote,
) -> None:
    before = submitted_for(transaction, service, submit.gate, digest)
    # The same bytes again are the same document, submitted later.
    others = tuple(one for one in before if one.digest != note.digest)
    if len(others) >= MOST_DOCUMENTS:
        raise RefusedError(
            f"gate {submit.gate} has {len(others)} documents about this change already",
            hint="put several reports into one document",
        )
    CONTENTS.put(
        transaction,
        KeptContent(
            digest=note.digest, base64=base64.b64encode(submit.content).decode("ascii"), at=note.at
        ),
    )
    SUBMITTED.put(
        transaction,
        Submitted(service=service, gate=submit.gate, change_digest=digest, notes=(*others, note)),
    )


def _carried_out_by(
    transaction: Transaction, service: ServiceName, digest: str
) -> tuple[RolloutId, ...]:
    return tuple(
        rollout.id
        for rollout in transaction.unfinished(service=service)
        if change_digest(rollout.change) == digest
    )
