"""The OpenAPI document of the API: what the framework derives from the routes, and what it can't know."""

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from tidegate.api.access import SECURITY_SCHEME
from tidegate.api.shapes.problem import Problem

_DESCRIPTION = """\
Moves any change to production safely. Every error is a problem document (RFC 9457) with a stable
`code`. Every operation names the permission that it needs as `x-permission`. Commands may carry an
`Idempotency-Key`, and `Tidegate-Actor` to say who acts.
"""


def openapi(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of *app*."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes
        )
        components = document.setdefault("components", {})
        components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        components["securitySchemes"] = {SECURITY_SCHEME: {"type": "http", "scheme": "bearer"}}
        app.openapi_schema = document
    return app.openapi_schema


def openapi_text(app: FastAPI) -> str:
    """Return the OpenAPI document as it is published, in an order that doesn't depend on the code's."""
    return json.dumps(openapi(app), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
