"""Every gate that this version can ask, by its kind. One line per kind; what each asks is in its own file."""

from pathlib import Path

from tidegate.drivers.gate.backup import BackupGate
from tidegate.drivers.gate.blockers import BlockersGate, NoIncidentGate
from tidegate.drivers.gate.capacity import CapacityGate
from tidegate.drivers.gate.change_size import ChangeSizeGate
from tidegate.drivers.gate.digest import DigestGate
from tidegate.drivers.gate.error_budget import ErrorBudgetGate
from tidegate.drivers.gate.healthy import HealthyGate
from tidegate.drivers.gate.mirror import MirrorGate
from tidegate.drivers.gate.provenance import ProvenanceGate
from tidegate.drivers.gate.review import ReviewGate
from tidegate.drivers.gate.sarif import SarifGate
from tidegate.drivers.gate.signature import SignatureGate
from tidegate.drivers.gate.staging_passed import StagingPassedGate
from tidegate.drivers.gate.tests import JUnitGate
from tidegate.ports.gate import GateDriver


def every_gate(repositories: Path | None = None) -> dict[str, GateDriver]:
    """Return the driver of each kind of gate; *repositories* is the folder of git repositories."""
    return {
        "backup": BackupGate(),
        "blockers": BlockersGate(),
        "capacity": CapacityGate(),
        "change-size": ChangeSizeGate(),
        "digest": DigestGate(),
        "error-budget": ErrorBudgetGate(),
        "healthy": HealthyGate(),
        "mirror": MirrorGate(),
        "no-incident": NoIncidentGate(),
        "provenance": ProvenanceGate(),
        "review": ReviewGate(repositories),
        "sarif": SarifGate(),
        "signature": SignatureGate(),
        "staging-passed": StagingPassedGate(),
        "tests": JUnitGate(),
    }
