"""The ledger as a whole as it is shown."""

from tidegate.api.shapes import audit as shapes
from tidegate.api.showing.ledger import show_entry
from tidegate.domain.ledger.model import Head, SigningKey
from tidegate.ports.store import LedgerEntry
from tidegate.usecases.ledger_export import on_behalf_of
from tidegate.usecases.ledger_witness import WitnessLag


def show_found(entry: LedgerEntry) -> shapes.FoundEntry:
    """Return *entry* as it is found; the records that it was decided from aren't shown."""
    return shapes.FoundEntry(
        **show_entry(entry).model_dump(),
        on_behalf_of=on_behalf_of(entry),
        details_json=entry.details_json,
    )


def show_head(head: Head) -> shapes.Head:
    """Return *head* as it is shown."""
    return shapes.Head(
        number=head.number,
        entries=head.entries,
        entry_hash=head.entry_hash,
        at=head.at,
        previous_head=head.previous_head,
        key_id=head.key_id,
        signature=head.signature,
    )


def show_key(key: SigningKey) -> shapes.Key:
    """Return *key* as it is shown."""
    return shapes.Key(key_id=key.key_id, public=key.public, since=key.since)


def show_witness(lag: WitnessLag) -> shapes.Witness:
    """Return a witness as it is shown."""
    state = lag.state
    return shapes.Witness(
        name=state.name,
        head=state.head,
        told_at=state.told_at,
        heads_behind=lag.heads_behind,
        behind_since=lag.behind_since,
        failing_since=state.failing_since,
        problem=state.problem,
        conflict=state.conflict,
    )
