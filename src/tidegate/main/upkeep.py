"""What goes on beside rollouts for as long as the server runs. What fails is told and tried again."""

import asyncio

import structlog

from tidegate.domain.quantities import RolloutId
from tidegate.errors import (
    TidegateError,
)
from tidegate.ports.witness import Witness
from tidegate.telemetry import events
from tidegate.usecases.audience import read_audiences
from tidegate.usecases.hooks import forget_deliveries
from tidegate.usecases.ledger_heads import sign_head
from tidegate.usecases.ledger_witness import tell_witness
from tidegate.usecases.outside import Outside

AUDIENCES_EVERY_SECONDS = 30.0
LEDGER_LOOKED_AT_EVERY_SECONDS = 2.0
DELIVERIES_FORGOTTEN_EVERY_SECONDS = 3600.0
log = structlog.get_logger("tidegate")


async def keep_audiences_short(outside: Outside) -> None:
    """Read the proxies' logs of people often, so that no raw key of anybody stays for long."""
    while True:
        await asyncio.sleep(AUDIENCES_EVERY_SECONDS)
        try:
            await read_audiences(outside)
        except TidegateError as exc:
            log_failure("audiences", None, exc)


async def keep_ledger_signed(outside: Outside) -> None:
    """Sign how the ledger stands whenever a head is due; rollouts never wait for it."""
    assert outside.signer is not None, "compose gives one"
    while True:
        try:
            await asyncio.to_thread(sign_head, outside, outside.signer, only_when_due=True)
        except TidegateError as exc:
            log_failure("ledger", None, exc)
        await asyncio.sleep(LEDGER_LOOKED_AT_EVERY_SECONDS)


async def keep_deliveries_few(outside: Outside) -> None:
    """Forget the messages of hooks that can't come again."""
    while True:
        try:
            await asyncio.to_thread(forget_deliveries, outside)
        except TidegateError as exc:
            log_failure("hooks", None, exc)
        await asyncio.sleep(DELIVERIES_FORGOTTEN_EVERY_SECONDS)


async def keep_told(outside: Outside, witness: Witness) -> None:
    """Tell a witness every head; what can't be told is told later."""
    while True:
        try:
            await tell_witness(outside, witness)
        except TidegateError as exc:
            log_failure("ledger", None, exc)
        await asyncio.sleep(LEDGER_LOOKED_AT_EVERY_SECONDS)


def log_failure(work: str, rollout_id: RolloutId | None, error: BaseException) -> None:
    """Log that *work* failed and will be tried again; with a traceback where nobody foresaw it."""
    known = isinstance(error, TidegateError)
    name = {
        "step": events.STEP_FAILED,
        "ledger": events.LEDGER_FAILED,
        "hooks": events.HOOKS_FAILED,
    }.get(work, events.WATCH_FAILED)
    log.warning(
        name,
        rollout_id=rollout_id,
        error=str(error) or type(error).__name__,
        code=error.code if isinstance(error, TidegateError) else type(error).__name__,
        exc_info=None if known else error,
    )
