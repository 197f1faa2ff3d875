"""The routes of the pages, all of them: the screens, what their forms are sent to, and their files."""

from typing import Final

from tidegate.api.pages import acting, acting_approvals, acting_services, files, theme
from tidegate.api.pages.screens import K1, acting, acting_admin, acting_services, admin, api, approvals, changes, decision, emergency, files, from, health, import, ledger, origin, overview, pages, points, postmortem, rollout, screens, service, services, slice, theme, tidegate

PAGES: Final = (
    files.router,
    theme.router,
    acting.router,
    acting_admin.router,
    acting_services.router,
    acting_approvals.router,
    overview.router,
    admin.router,
    changes.router,
    ledger.router,
    postmortem.router,
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
