"""What witnesses say no with, the same in all of them."""

from tidegate.domain.ledger.model import Head
from tidegate.errors import WitnessConflictError, WitnessError


def another_head(name: str, head: Head) -> WitnessConflictError:
    """Return the error for a head that a witness has otherwise."""
    return WitnessConflictError(
        f"witness {name} has another head {head.number} than this ledger",
        hint="somebody was shown another history: compare with `tidegate ledger verify --witness`",
    )


def cannot_keep(name: str, why: str) -> WitnessError:
    """Return the error for a witness that can't be told or asked."""
    return WitnessError(
        f"witness {name} can't be told: {why}", hint="it is told again; nothing waits for it"
    )
