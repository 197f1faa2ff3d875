"""
Whom the next phase of a rollout would meet, and how soon a typical fault would be halted in it.

Made from what rollouts have seen of the traffic, and asks nobody: whoever looks at many of these waits for no
source. Without traffic it says nothing instead of guessing.
"""

from datetime import datetime

from tidegate.domain.rollout.model import Rollout
from tidegate.ports.store import Transaction
from tidegate.usecases.forecast import PhaseForecast, forecast
from tidegate.usecases.traffic import stored_traffic


def foreseen_phase(
    transaction: Transaction, rollout: Rollout, phase_index: int, now: datetime
) -> PhaseForecast | None:
    """Return what the phase at *phase_index* would meet if it began now; None without traffic."""
    targets = {target.name for target in rollout.targets}
    traffic = stored_traffic(transaction, rollout.service, targets, now)
    if traffic is None:
        return None
    foreseen = forecast(rollout.plan, traffic, now=now, is_install=rollout.is_install)
    return foreseen.phases[phase_index]
