"""
The style, the scripts and the licences of the pages: read once from the package, told by their content.

Nothing in them needs a key. An address carries a digest of what it stands for, so a browser may keep it
for good, and a new version of the server brings new addresses.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from tidegate.errors import NotFoundError

STYLES: Final = (
    "tokens",
    "base",
    "layout",
    "controls",
    "state",
    "ladder",
    "meter",
    "matrix",
    "fleet",
    "log",
    "health",
    "chart",
    "graph",
    "rollout",
    "ledger",
    "changes",
    "approvals",
    "emergency",
    "postmortem",
    "simulate",
    "screens",
    "print",
)
"""The parts of the style, in the order in which they are laid one over another."""

VENDORED: Final = ("htmx.min.js", "uPlot.iife.min.js", "uPlot.min.css")
"""Files of others, unchanged; their licences lie beside them."""

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A file as it is sent: plain and compressed, with its type and the digest of its content."""

    body: bytes
    compressed: bytes
    media_type: str
    digest: str


def asset_address(name: str) -> str:
    """Return the address of the asset *name*. Raises KeyError when there is none."""
    return f"/assets/{name}?v={assets()[name].digest}"


@cache
def assets() -> dict[str, Asset]:
    """Return every asset by its name."""
    folder = resources.files("tidegate.api.pages").joinpath("assets")
    style = "".join(folder.joinpath("css", f"{part}.css").read_text("utf-8") for part in STYLES)
    found = {"style.css": style.encode()}
    for own in sorted(folder.joinpath("js").iterdir(), key=lambda one: one.name):
        if own.name.endswith(".js"):
            found[own.name] = own.read_bytes()
    for name in VENDORED:
        found[name] = folder.joinpath("vendored", name).read_bytes()
    found["icon.svg"] = folder.joinpath("icon.svg").read_bytes()
    return {name: _asset(name, body) for name, body in found.items()}


@router.get("/assets/{name}")
def one_asset(name: str, request: Request) -> Response:
    """Return an asset. With the digest of its content in the address it may be kept for good."""
    found = assets().get(name)
    if found is None:
        raise NotFoundError(
            f"there is no asset {name[:64]!r}", hint="reload the page that asks for it"
        )
    is_exact = request.query_params.get("v") == found.digest
    headers = {
        "cache-control": "public, max-age=31536000, immutable" if is_exact else "no-cache",
        "etag": f'"{found.digest}"',
        "vary": "accept-encoding",
    }
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["content-encoding"] = "gzip"
        return Response(found.compressed, media_type=found.media_type, headers=headers)
    return Response(found.body, media_type=found.media_type, headers=headers)


def _asset(name: str, body: bytes) -> Asset:
    return Asset(
        body=body,
        compressed=gzip.compress(body, 9, mtime=0),
        media_type=_TYPES[name.rpartition(".")[2]],
        digest=hashlib.sha256(body).hexdigest()[:16],
    )
