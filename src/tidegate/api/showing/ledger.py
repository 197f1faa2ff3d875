"""Entries of the ledger as they are shown, and what a decision was made from."""

from tidegate.api.shapes import ledger as shapes
from tidegate.api.shapes.rollout import Event
from tidegate.api.showing.evidence import show_evidence
from tidegate.api.showing.rollout import show_exposure
from tidegate.documents.records import from_json
from tidegate.domain.rollout.decisions import Decision, Observation
from tidegate.domain.rollout.seen import wanted_exposure
from tidegate.ports.store import LedgerEntry
from tidegate.usecases.explain import Replay


def show_entry(entry: LedgerEntry) -> shapes.Entry:
    """Return *entry* without the records in it: those hold settings, which may hold secrets."""
    return shapes.Entry(
        number=entry.number,
        at=entry.at,
        rollout=entry.rollout_id,
        service=entry.service,
        actor=entry.actor,
        kind=entry.kind,
        rule=entry.rule,
        because=entry.because,
        state_before=entry.state_before,
        state_after=entry.state_after,
        previous_hash=entry.previous_hash,
        hash=entry.hash,
    )


def show_event(entry: LedgerEntry) -> Event:
    """Return *entry* as a hint."""
    return Event(
        number=entry.number,
        at=entry.at,
        kind=entry.kind,
        rule=entry.rule,
        actor=entry.actor,
        because=entry.because,
        state_before=entry.state_before,
        state_after=entry.state_after,
    )


def show_decision(entry: LedgerEntry) -> shapes.Decision:
    """Return *entry* with what it was decided from."""
    if entry.observation_json is None or entry.decision_json is None:
        return shapes.Decision(entry=show_entry(entry), inputs=None, action=None)
    seen = from_json(Observation, entry.observation_json)
    decision: Decision = from_json(Decision, entry.decision_json)
    return shapes.Decision(entry=show_entry(entry), inputs=_inputs(seen), action=decision.action)


def show_replay(replay: Replay) -> shapes.Replay:
    """Return *replay* as it is shown."""
    return shapes.Replay(
        entry=show_entry(replay.entry),
        ticks=replay.ticks,
        same_evidence=replay.same_evidence,
        same_decision=replay.same_decision,
        action=replay.decision.action,
        because=replay.decision.because,
        differences=list(replay.differences),
    )


def _inputs(seen: Observation) -> shapes.Inputs:
    rollout = seen.rollout
    return shapes.Inputs(
        now=seen.now,
        revision=rollout.revision,
        attempt=rollout.attempt,
        phase=rollout.phase_index + 1,
        placements=[
            show_exposure(here.placement, wanted_exposure(rollout, here.placement), here, rollout)
            for here in seen.placements
        ],
        evidence=show_evidence(rollout, seen.evidence, None),
    )
