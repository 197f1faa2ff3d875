"""
The whole API under generated requests: every operation alone, and chains of them.

Whatever is sent, nothing is answered with a server error, an undocumented status, a body that the
document doesn't describe, or to somebody without the token. That each request which fits the schema is
accepted can't be promised: one may ask for what no schema can say (a version that exists). What is promised
instead is that none of them is called malformed: the document and what reads requests agree.
"""

import asyncio
import os
from collections import Counter
from typing import Any, Final

import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import BaseSchema
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tidegate.api.app import create_app
from tidegate.errors import MalformedRequestError
from tidegate.testing.memory_world import MemoryWorld

TOKEN: Final = "a-token-for-tests"
WAITING: Final = ("/v1/services/{name}/health/test", "/v1/rollouts/{rollout}/events")
DOCUMENT_PATH: Final = "/openapi.json"
IS_FULL: Final = os.environ.get("TIDEGATE_TEST_PROFILE") == "full"
EXAMPLES: Final = 200 if IS_FULL else 15
CHAINS: Final = 200 if IS_FULL else 15

BOUNDED: Final = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


def an_application() -> FastAPI:
    """Return the API over a world in which one version is served and another one rolled out."""
    world = MemoryWorld()
    asyncio.run(world.installed("1.0.0"))
    asyncio.run(world.start("1.1.0"))
    hosts = frozenset({"testserver", "127.0.0.1", "localhost"})
    app = create_app(world.outside, token=TOKEN, version="0", hosts=hosts)

    def document(_: Request) -> Response:
        return JSONResponse(app.openapi())

    app.add_route(DOCUMENT_PATH, document, include_in_schema=False)
    return app


def a_schema() -> BaseSchema:
    """Return the operations of the API, to be asked with its token."""
    config = schemathesis.Config.from_dict(
        {"auth": {"openapi": {"token": {"bearer": TOKEN}}}, "warnings": False}
    )
    return schemathesis.openapi.from_asgi(DOCUMENT_PATH, an_application(), config=config)


def check(case: Any, response: Any) -> None:
    """Raise what is wrong with the answer to *case*."""
    case.validate_response(
        response,
        excluded_checks=[positive_data_acceptance],
        additional_checks=[what_fits_is_not_malformed],
    )


def what_fits_is_not_malformed(_: Any, response: Any, case: Any) -> None:
    """Raise when a request as the document describes it was refused for its shape."""
    if not case.meta.generation.mode.is_positive or response.status_code != 422:
        return
    problem = response.json()
    assert problem["code"] != MalformedRequestError.code, problem["detail"]


def test_every_operation_answers_as_documented() -> None:
    """No 5xx, no undocumented status or body, none without the token; for every operation."""
    schema = a_schema()
    answers: Counter[tuple[str, str]] = Counter()

    def ask_it(operation: Any) -> None:
        @BOUNDED
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            response = case.call()
            answers[operation.method, operation.path] += 1
            check(case, response)

        ask()

    for result in schema.get_all_operations():
        ask_it(result.ok())

    documented = {
        (method, path)
        for path, item in schema.raw_schema["paths"].items()
        for method in item
        if method in {"get", "post", "put", "patch", "delete"}
    }
    assert set(answers) == documented


def test_chains_of_operations_answer_as_documented() -> None:
    """What one operation answers is sent to the next; the same promises hold."""
    # They wait for ticks and events, which come by a clock that stands still here.
    asked = a_schema().exclude(path=list(WAITING))
    machine = asked.as_state_machine()

    class Checked(machine):  # type: ignore[misc,valid-type]
        def validate_response(self, response: Any, case: Any, **options: Any) -> None:
            check(case, response)

    Checked.run(settings=settings(BOUNDED, max_examples=CHAINS, stateful_step_count=8))
