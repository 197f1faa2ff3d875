"""What the forms about freezes are sent to: announcing one and ending one early. Times in them are UTC."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Path
from starlette.responses import Response

from tidegate.api.access import operation
from tidegate.api.pages.acting import Acting, Outcome
from tidegate.api.pages.guarding import ActingRoute
from tidegate.domain.access.permissions import Permission
from tidegate.domain.calendar.freezes import FreezeScope, covered
from tidegate.errors import InvalidRequestError
from tidegate.usecases.freeze_commands import AddFreeze, LiftFreeze
from tidegate.usecases.freezes import LATEST_NUMBER, FreezeAdded, FreezeLifted

BACK: Final = "/freezes"

router = APIRouter(include_in_schema=False, route_class=ActingRoute)


@router.post("/freezes", **operation(Permission.FREEZE))
async def add(act: Acting) -> Response:
    """Announce a time in which exposure of what is named doesn't rise."""
    scope = _scope(act.text("scope"))
    allows = {"yes": True, "no": False}.get(act.text("exceptions"))
    freeze = AddFreeze(
        scope=scope,
        name="" if scope is FreezeScope.EVERYTHING else act.text("name"),
        since=_instant(act.text("since"), "since") if act.text("since") else None,
        until=_instant(act.text("until"), "until"),
        reason=act.text("reason"),
        allows_exceptions=allows,
    )

    def tell(added: FreezeAdded) -> Outcome:
        return Outcome(
            message=f"freeze {added.freeze.number} of {covered(added.freeze)} is announced;"
            f" {len(added.waiting)} rollouts under way would wait",
            location=BACK,
        )

    return await act.carry_out(freeze, tell)


@router.post("/freezes/{number}/lift", **operation(Permission.FREEZE))
async def lift(number: Annotated[int, Path(ge=1, le=LATEST_NUMBER)], act: Acting) -> Response:
    """End a freeze before its time."""

    def tell(lifted: FreezeLifted) -> Outcome:
        return Outcome(
            message=f"freeze {lifted.freeze.number} is lifted; {len(lifted.released)} rollouts go on",
            location=BACK,
        )

    return await act.carry_out(LiftFreeze(number=number, reason=act.text("reason")), tell)


def _scope(given: str) -> FreezeScope:
    try:
        return FreezeScope(given)
    except ValueError:
        raise InvalidRequestError(
            f"no scope {given[:32]!r}",
            hint=f"choose one of: {', '.join(scope.value for scope in FreezeScope)}",
        ) from None


def _instant(written: str, name: str) -> datetime:
    """Return what a field of date and time says, which has no offset and means UTC."""
    try:
        read = datetime.fromisoformat(written)
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequestError(
            f"{name} must be a date and a time, got {written[:40]!r}",
            hint="as 2030-12-20T18:00, in UTC",
        ) from None
