"""The routes of the pages, all of them: the screens, what their forms are sent to, and their files."""

from typing import Final

from tidegate.api.pages import acting, acting_services, files, theme
from tidegate.api.pages.screens import ledger, overview, rollout, service, services

PAGES: Final = (
    files.router,
    theme.router,
    acting.router,
    acting_services.router,
    overview.router,
    ledger.router,
    rollout.router,
    services.router,
    service.router,
)
"""In the order in which they are asked: a screen with a fixed path before one with a name in it."""
