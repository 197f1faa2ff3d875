"""The routes of the pages, all of them: the screens, what their forms are sent to, and their files."""

from typing import Final

from tidegate.api.pages import (
    acting,
    acting_admin,
    acting_approvals,
    acting_emergencies,
    acting_freezes,
    acting_postmortem,
    acting_services,
    acting_simulate,
    files,
    theme,
)
from tidegate.api.pages.screens import (
    admin,
    approvals,
    changes,
    decision,
    emergency,
    emergency_report,
    health,
    holds,
    ledger,
    overview,
    points,
    postmortem,
    rollout,
    service,
    services,
    simulate,
)

PAGES: Final = (
    files.router,
    theme.router,
    acting.router,
    acting_admin.router,
    acting_services.router,
    acting_approvals.router,
    acting_emergencies.router,
    acting_freezes.router,
    acting_postmortem.router,
    acting_simulate.router,
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
    emergency_report.router,
    holds.router,
    simulate.router,
)
"""In the order in which they are asked: a screen with a fixed path before one with a name in it."""
