"""The routes of the pages, all of them: the screens, what their forms are sent to, and their files."""

from typing import Final

from tidegate.api.pages import acting, acting_approvals, acting_services, files, theme
from tidegate.api.pages.screens import (
    approvals,
    changes,
    decision,
    emergency,
    health,
    ledger,
    overview,
    points,
    rollout,
    service,
    services,
)

PAGES: Final = (
    files.router,
    theme.router,
    acting.router,
    acting_services.router,
    acting_approvals.router,
    overview.router,
    changes.router,
    ledger.router,
    rollout.router,
    points.router,
    decision.router,
    services.router,
    health.router,
    service.router,
    approvals.router,
    emergency.router,
)
"""In the order in which they are asked: a screen with a fixed path before one with a name in it."""
