"""
One decision: what it was, from which inputs, and the same decision made again from what was stored.

The replay is made anew for each look, as `tidegate why d-N --replay` does; nothing of it is kept.
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from tidegate.api.pages import drawing, rollout_words
from tidegate.api.pages.guarding import PageRoute
from tidegate.api.pages.onlooker import Looks
from tidegate.api.pages.rendering import page
from tidegate.api.shapes.ledger import Decision, Replay
from tidegate.api.showing.ledger import show_decision, show_replay
from tidegate.api.state import World
from tidegate.domain.rollout.machine import TRANSITIONS, State
from tidegate.errors import TidegateError
from tidegate.ports.store import LedgerEntry
from tidegate.usecases.explain import replay_decision
from tidegate.usecases.outside import Outside
from tidegate.usecases.reading import readable_entry

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """
    Everything about one entry.

    `replay` is None where no rule decided, or where `why_not` says why it can't be made again.
    `alternatives` are the states that it could also have led to. `inputs_hash` is of the stored inputs.
    """

    decision: Decision
    replay: Replay | None
    why_not: str
    alternatives: tuple[str, ...]
    inputs_hash: str


@router.get("/decisions/{number}")
async def one_decision(
    number: Annotated[int, Path(ge=1, le=2**53)],
    request: Request,
    outside: World,
    onlooker: Looks,
) -> Response:
    """Show one decision with its replay."""
    account = await run_in_threadpool(
        lambda: _account(outside, readable_entry(outside, onlooker.caller, number))
    )
    return page(
        request,
        "screens/decision.html",
        decision=account.decision,
        replay=account.replay,
        why_not=account.why_not,
        alternatives=account.alternatives,
        inputs_hash=account.inputs_hash,
        say=rollout_words,
        drawing=drawing,
    )


def _account(outside: Outside, entry: LedgerEntry) -> Account:
    decision = show_decision(entry)
    replay, why_not = None, ""
    if decision.inputs is not None:
        try:
            replay = show_replay(replay_decision(outside, entry.number))
        except TidegateError as exc:
            why_not = exc.message
    stored = entry.observation_json
    return Account(
        decision=decision,
        replay=replay,
        why_not=why_not,
        alternatives=_alternatives(entry),
        inputs_hash=""
        if stored is None
        else f"sha256:{hashlib.sha256(stored.encode()).hexdigest()}",
    )


def _alternatives(entry: LedgerEntry) -> tuple[str, ...]:
    """Return the other states that the state before can lead to, in the order of the table."""
    try:
        before = State(entry.state_before)
    except ValueError:
        return ()
    after = dict.fromkeys(TRANSITIONS[before].values())
    return tuple(
        state.value for state in after if state.value not in (entry.state_after, before.value)
    )
