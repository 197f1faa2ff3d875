"""Every kind of gate that a document may ask for can be asked."""

from tidegate.documents.gate_kinds import GATE_KINDS
from tidegate.drivers.gate.every import every_gate


def test_every_kind_of_the_documents_has_its_driver() -> None:
    """One that had none would hold every rollout that asks for it, for good."""
    assert set(every_gate()) == set(GATE_KINDS)
