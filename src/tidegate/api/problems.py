"""
Every error as a problem document, in one place, so that no route can say no in a way of its own.

Unexpected errors become a problem without any of their text: that goes to the log, by whoever runs the
server. What was sent is never echoed.
"""

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tidegate.api.shapes.problem import PROBLEM_MEDIA_TYPE, Problem
from tidegate.errors import (
    ForbiddenError,
    InvalidRequestError,
    MalformedRequestError,
    NotAllowedError,
    NotFoundError,
    TidegateError,
)

MAX_COMPLAINTS: Final = 10

_EVERYWHERE: Final[tuple[type[TidegateError], ...]] = (
    NotAllowedError,
    ForbiddenError,
    InvalidRequestError,
    MalformedRequestError,
    TidegateError,
)
"""What any operation may answer with; the last is what an unexpected error becomes."""


def problem_of(error: TidegateError) -> Problem:
    """Return *error* as a problem document."""
    return _problem(type(error), error.message, error.hint)


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return the HTTP answer for *problem*."""
    shown = dict(headers or {})
    if problem.status == HTTPStatus.UNAUTHORIZED:
        shown["www-authenticate"] = "Bearer"
    return Response(
        problem.model_dump_json(),
        status_code=problem.status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers=shown,
    )


def refusal(status: int, detail: str, hint: str) -> Response:
    """Return the answer to a request that no route has seen, or that no route takes."""
    kind = NotFoundError if status == HTTPStatus.NOT_FOUND else InvalidRequestError
    problem = _problem(kind, detail, hint)
    return problem_response(
        problem.model_copy(update={"status": status, "title": HTTPStatus(status).phrase})
    )


def problem_responses(
    *errors: type[TidegateError], refusals: Collection[int] = ()
) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of an operation that may raise *errors* or refuse with *refusals*."""
    by_status: dict[int, list[str]] = {status: [InvalidRequestError.code] for status in refusals}
    for error in (*_EVERYWHERE, *errors):
        codes = by_status.setdefault(error.http_status, [])
        if error.code not in codes:
            codes.append(error.code)
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(codes)}",
            "content": {PROBLEM_MEDIA_TYPE: {"schema": schema}},
        }
        for status, codes in sorted(by_status.items())
    }


def handle_errors(app: FastAPI) -> None:
    """Let every error of *app*'s routes become a problem document."""
    app.add_exception_handler(TidegateError, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_unexpected)


async def _on_refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, TidegateError), f"registered for TidegateError, got {error!r}"
    return problem_response(problem_of(error))


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), f"registered for it, got {error!r}"
    complaints = [
        f"{'.'.join(str(part) for part in found['loc'])}: {found['msg'].lower()}"
        for found in error.errors()
    ]
    more = len(complaints) - MAX_COMPLAINTS
    if more > 0:
        complaints = [*complaints[:MAX_COMPLAINTS], f"and {more} more"]
    return problem_response(
        _problem(
            MalformedRequestError,
            "; ".join(complaints),
            "compare the request with the API's reference",
        )
    )


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), f"registered for it, got {error!r}"
    place = f"{request.method} {request.url.path}"
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            answer = refusal(404, f"there is no {place}", "see the API's reference")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            answer = refusal(405, f"{place} isn't an operation", "see the API's reference")
        case HTTPStatus.BAD_REQUEST:
            # What the framework says of bytes that are no text: to a sender the same as no JSON.
            answer = problem_response(
                _problem(
                    MalformedRequestError, "the body can't be read as JSON", "send JSON in UTF-8"
                )
            )
        case status:
            answer = refusal(status, str(error.detail).lower(), "correct the request")
    answer.headers.update(error.headers or {})
    return answer


async def _on_unexpected(_: Request, __: Exception) -> Response:
    return problem_response(
        _problem(
            TidegateError,
            "the server failed in a way that it wasn't made for",
            "its log says where; what was asked may or may not have been done: look before you repeat",
        )
    )


def _problem(kind: type[TidegateError], detail: str, hint: str) -> Problem:
    summary = (kind.__doc__ or kind.__name__).strip().splitlines()[0]
    if kind is TidegateError:
        summary = "an unexpected error"
    return Problem(
        type=f"urn:tidegate:error:{kind.code}",
        title=summary.rstrip("."),
        status=kind.http_status,
        code=kind.code,
        detail=detail,
        hint=hint,
        retryable=kind.retryable,
    )
