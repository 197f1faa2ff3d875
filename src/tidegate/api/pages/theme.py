"""The colours that a browser was told to use: a cookie, read by the server so that no page flashes."""

from typing import Final
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from tidegate.api.pages.rendering import THEME_COOKIE, THEMES

router = APIRouter(include_in_schema=False)

KEPT_SECONDS: Final = 365 * 24 * 60 * 60


@router.post("/theme")
async def choose(request: Request) -> Response:
    """Keep the colours that somebody chose, and lead back to the page that they were on."""
    said = parse_qs((await request.body()).decode("utf-8", "replace"))
    theme = said.get("theme", [""])[0]
    answer = RedirectResponse(_own(said.get("back", ["/"])[0]), status_code=303)
    if theme in THEMES:
        answer.set_cookie(THEME_COOKIE, theme, max_age=KEPT_SECONDS, samesite="lax")
    return answer


def _own(address: str) -> str:
    """Return *address* where it is one of this server's own, else the first page: no open redirect."""
    parts = urlsplit(address)
    is_own = (
        not parts.scheme and not parts.netloc and address.startswith("/") and "\\" not in address
    )
    return address if is_own and not address.startswith("//") else "/"
