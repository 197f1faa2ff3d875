"""
Where OpenTelemetry SDKs and Collectors send metrics: OTLP/HTTP in its JSON encoding.

Answers as the OTLP specification says where it differs from this API: 200 with `partialSuccess` when
some points were refused, so that a sender doesn't send the good ones again. Nothing is stored.
"""

import asyncio
import json
import zlib
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from tidegate.api.access import Calls, GuardedRoute, operation
from tidegate.api.problems import refusal
from tidegate.api.state import World
from tidegate.domain.access.permissions import Permission
from tidegate.errors import InvalidRequestError, NotFoundError, RefusedError
from tidegate.usecases.bus import perform
from tidegate.usecases.metrics_commands import SendMetrics

MAXIMUM_UNPACKED_BYTES: Final = 5 * 1024 * 1024
"""A body may be 1 MiB on the wire; compressed that is about as much JSON as this."""

_GZIP: Final = 16 + zlib.MAX_WBITS

router = APIRouter(tags=["signals"], route_class=GuardedRoute)


@router.post(
    "/otlp/v1/metrics",
    **operation(
        Permission.SEND_METRICS,
        InvalidRequestError,
        NotFoundError,
        RefusedError,
        refusals=(413, 415),
    ),
)
async def take_metrics(request: Request, outside: World, caller: Calls) -> Response:
    """
    Take in metrics for signals with `source: otlp`.

    The body is an `ExportMetricsServiceRequest` in JSON, plain or packed by gzip. Points must be
    cumulative, and each process must name itself by `service.name` and `service.instance.id`.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        return refusal(
            415,
            f"OTLP is read as application/json, not as {media_type[:64] or 'something unnamed'}",
            "set `encoding: json` on the Collector's otlphttp exporter, or the protocol http/json",
        )
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        return refusal(
            415,
            f"a body packed by {encoding[:64]} can't be read",
            "set `compression: gzip`, or none, on the exporter",
        )
    body = await request.body()
    if encoding == "gzip":
        unpacked = await asyncio.to_thread(_unpacked, body)
        if unpacked is None:
            return refusal(
                413,
                f"the body isn't gzip, or larger than {MAXIMUM_UNPACKED_BYTES} bytes unpacked",
                "send smaller batches: set send_batch_max_size on the Collector's batch processor",
            )
        body = unpacked
    send = SendMetrics(document=await asyncio.to_thread(_parsed, body))
    taken = await perform(outside, caller, send)
    answer: dict[str, object] = {}
    if taken.rejected or taken.why:
        answer["partialSuccess"] = {
            "rejectedDataPoints": str(taken.rejected),
            "errorMessage": taken.why,
        }
    return JSONResponse(answer)


def _unpacked(body: bytes) -> bytes | None:
    """Return *body* unpacked, None when it is no whole gzip or would be too large."""
    unpacker = zlib.decompressobj(_GZIP)
    try:
        unpacked = unpacker.decompress(body, MAXIMUM_UNPACKED_BYTES)
    except zlib.error:
        return None
    return unpacked if unpacker.eof else None


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as problem:
        raise InvalidRequestError(
            "the body isn't JSON", hint="send an ExportMetricsServiceRequest in its JSON encoding"
        ) from problem
