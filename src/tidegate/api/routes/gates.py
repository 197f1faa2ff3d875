"""
Gates over HTTP: how those of a rollout stand, asking them again, and giving one what it judges.

A document comes in base64 inside JSON, so that all bodies are of one kind; packed by gzip it may be as
large as any that a gate takes. It is kept as it is and never opened here.
"""

import base64
import binascii
import zlib
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.idempotency import Calling, once
from tidegate.api.shapes import gates as shapes
from tidegate.api.showing.gates import show_evidence_of_change, show_gates, show_submitted
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.domain.quantities import ServiceName
from tidegate.errors import (
    InvalidDocumentError,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    StoreError,
    VersionNotFoundError,
    WorkloadError,
)
from tidegate.usecases.bus import perform
from tidegate.usecases.gate_commands import LARGEST_DOCUMENT, CheckGates, SubmitEvidence
from tidegate.usecases.gate_records import SUBMITTED
from tidegate.usecases.reading import find_rollout, readable_service

router = APIRouter(tags=["gates"], route_class=GuardedRoute)

LISTED_AT_MOST: Final = 200
_GZIP: Final = 16 + zlib.MAX_WBITS

GateName = Annotated[str, Path(max_length=63, description="The name that stands in `gates:`.")]


@router.get("/v1/rollouts/{rollout}/gates", **operation(Permission.READ, NotFoundError, StoreError))
def list_gates(rollout: str, outside: World, caller: Calls) -> shapes.Gates:
    """Return how the gates of a rollout stand: state, reason, evidence, expiry, what to do."""
    return show_gates(outside, find_rollout(outside, caller, rollout))


@router.post(
    "/v1/rollouts/{rollout}/gates/check",
    status_code=202,
    response_model=shapes.Gates,
    **operation(Permission.SUBMIT_EVIDENCE, NotFoundError, StoreError),
)
async def check_gates(rollout: str, call: Calling) -> Response:
    """Ask the gates of a rollout again now. The answer is how they stood; new ones come within seconds."""

    async def done() -> shapes.Gates:
        outside = call.server.outside
        found = await perform(outside, call.caller, CheckGates(rollout=rollout))
        return show_gates(outside, found)

    return await once(call, 202, done)


@router.get(
    "/v1/services/{name}/evidence/{gate}",
    **operation(Permission.READ, NotFoundError, StoreError),
)
def list_evidence(
    name: str,
    gate: GateName,
    outside: World,
    caller: Calls,
    limit: Annotated[int, Query(ge=1, le=LISTED_AT_MOST, description="Changes.")] = 20,
) -> shapes.EvidenceOfGate:
    """Return what was submitted for a gate of a service, by change, the latest first."""
    service = readable_service(outside, caller, ServiceName(name)).name
    with outside.store.begin(read_only=True) as transaction:
        found = SUBMITTED.latest(transaction, service=service, limit=10 * LISTED_AT_MOST)
    of_gate = [one for one in found if one.gate == gate][:limit]
    return shapes.EvidenceOfGate(
        service=name, gate=gate, changes=[show_evidence_of_change(one) for one in of_gate]
    )


@router.post(
    "/v1/services/{name}/evidence/{gate}",
    status_code=201,
    response_model=shapes.EvidenceSubmitted,
    **operation(
        Permission.SUBMIT_EVIDENCE,
        NotFoundError,
        InvalidRequestError,
        InvalidDocumentError,
        VersionNotFoundError,
        WorkloadError,
        RefusedError,
        StoreError,
    ),
)
async def submit_evidence(
    name: str, gate: GateName, said: shapes.SubmitEvidence, call: Calling
) -> Response:
    """
    Give a gate what it judges about a change: test results, a scan, a statement.

    It counts for that change alone, by the digests of its versions. Unfinished rollouts of the change
    are looked at at once.
    """

    async def done() -> shapes.EvidenceSubmitted:
        submit = SubmitEvidence(
            service=name,
            gate=gate,
            change=said.change,
            name=said.name,
            content=_content(said),
        )
        return show_submitted(await perform(call.server.outside, call.caller, submit))

    return await once(call, 201, done)


def _content(said: shapes.SubmitEvidence) -> bytes:
    try:
        content = base64.b64decode(said.content, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise InvalidRequestError(
            "content isn't base64", hint="send the document's bytes in base64 (RFC 4648, section 4)"
        ) from exc
    return _unpacked(content) if said.packed else content


def _unpacked(packed: bytes) -> bytes:
    """Return *packed* unpacked, as far as one byte more than is allowed: that is refused further on."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        content = unpacker.decompress(packed, LARGEST_DOCUMENT + 1)
    except zlib.error as exc:
        raise InvalidRequestError(
            "content isn't gzip", hint="pack it with gzip, or leave `packed` out"
        ) from exc
    if not unpacker.eof and len(content) <= LARGEST_DOCUMENT:
        raise InvalidRequestError("content ends in the middle", hint="send the whole gzip file")
    return content
