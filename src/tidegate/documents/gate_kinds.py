"""Every kind of gate that this version knows, by the name it is written with. One line per kind."""

from collections.abc import Mapping
from typing import Final

from tidegate.documents.gates import GateKind
from tidegate.documents.gates_knowing import KNOWING_KINDS
from tidegate.documents.gates_verifying import VERIFYING_KINDS

GATE_KINDS: Final[Mapping[str, GateKind]] = {
    **KNOWING_KINDS,
    **VERIFYING_KINDS,
}
