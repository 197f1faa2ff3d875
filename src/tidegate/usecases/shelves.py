"""
Records of governance with their types: each kind on a shelf of its own.

The store keeps them as text; here they are the frozen dataclasses of `domain`. A record that can't be
read raises: what isn't known can't be taken for absent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from tidegate.documents.records import from_json, to_json
from tidegate.domain.emergency.model import Debt, DebtState
from tidegate.domain.gates.model import GateEvidence
from tidegate.domain.quantities import ServiceName
from tidegate.domain.stops.model import StopOrder
from tidegate.ports.store import Filed, Transaction

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf(Generic[Item]):
    """
    One kind of record.

    `id_of`, `at` and `is_open` say what the store is told of an item; `service_of` of which service
    it is, None for none.
    """

    kind: str
    type: type[Item]
    id_of: Callable[[Item], str]
    at: Callable[[Item], datetime]
    is_open: Callable[[Item], bool]
    service_of: Callable[[Item], ServiceName | None]

    def put(self, transaction: Transaction, item: Item) -> None:
        """Add *item*, or replace the one with its id."""
        transaction.file(
            Filed(
                kind=self.kind,
                id=self.id_of(item),
                service=self.service_of(item),
                is_open=self.is_open(item),
                at=self.at(item),
                record_json=to_json(item),
            )
        )

    def get(self, transaction: Transaction, item_id: str) -> Item | None:
        """Return one item, None when there is none."""
        filed = transaction.filed(self.kind, item_id)
        return None if filed is None else self._item(filed)

    def open(
        self, transaction: Transaction, *, service: ServiceName | None = None
    ) -> tuple[Item, ...]:
        """Return the items that still have a say, oldest first."""
        return tuple(map(self._item, transaction.open_filed(self.kind, service=service)))

    def latest(
        self, transaction: Transaction, *, service: ServiceName | None = None, limit: int = 100
    ) -> tuple[Item, ...]:
        """Return items, newest first, at most *limit*."""
        return tuple(
            map(self._item, transaction.latest_filed(self.kind, service=service, limit=limit))
        )

    def _item(self, filed: Filed) -> Item:
        return from_json(self.type, filed.record_json)


def evidence_place(service: ServiceName, gate: str, change_digest: str) -> str:
    """Return where the latest evidence of a gate about a change is filed."""
    return f"{service}/{gate}/{change_digest}"


STOP_ORDERS = Shelf(
    kind="stop_order",
    type=StopOrder,
    id_of=lambda order: f"{order.number:08}",
    at=lambda order: order.at,
    is_open=lambda order: order.is_in_force,
    service_of=lambda _: None,
)

GATE_EVIDENCE = Shelf(
    kind="gate_evidence",
    type=GateEvidence,
    # One place per gate and change: the latest answer stands, those before are in the ledger.
    id_of=lambda evidence: evidence_place(evidence.service, evidence.gate, evidence.change_digest),
    at=lambda evidence: evidence.measured_at,
    is_open=lambda _: True,
    service_of=lambda evidence: evidence.service,
)

DEBTS = Shelf(
    kind="debt",
    type=Debt,
    id_of=lambda debt: debt.id,
    at=lambda debt: debt.changed_at,
    is_open=lambda debt: debt.state in (DebtState.OPEN, DebtState.FAILED),
    service_of=lambda debt: debt.service,
)
