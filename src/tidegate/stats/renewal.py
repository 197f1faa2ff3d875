"""
A proof that may begin anew: part of the stake is kept back for when the first was spoilt.

The tests that let advance bet on a healthy candidate. A few seconds in which both arms fail can cost
them more than hours can win back, and that says nothing of the candidate. So a twentieth of the stake is
kept back, and each new beginning gets a part of it: the j-th ``1/20 * 1/(j (j + 1))``. What a spoilt
proof was worth when it ended stays. The sum is a mixture of e-processes that began at 1, hence an
e-process itself, however often and for whatever reason known beforehand one begins anew.

Source: mixture over starts, as in `mixture`; stopping a bet keeps an e-process one (Ville 1939).
"""

import math
from typing import Final

import numpy as np

FIRST_STAKE: Final = 0.95
"""The stake of the first proof. What is kept back delays it by 0.05 nats, a sixtieth of the way."""


def log_value(log_e: float, *, renewals: int = 0, kept: float = 0.0) -> float:
    """
    Return the log e-value of all proofs together, in nats.

    Args:
        log_e: Log e-value of the running proof.
        renewals: How often one was begun anew.
        kept: What ended proofs were worth, from `end`.
    """
    cash = (1.0 - FIRST_STAKE) / (renewals + 1)
    still = math.log(kept + cash)
    return float(np.logaddexp(_log_stake(renewals) + log_e, still))


def end(log_e: float, *, renewals: int, kept: float) -> float:
    """
    Return what ended proofs are worth with the running one among them.

    A proof is worth at most e^500 here, which no threshold is near.
    """
    return kept + math.exp(min(_log_stake(renewals) + log_e, 500.0))


def _log_stake(renewals: int) -> float:
    if renewals == 0:
        return math.log(FIRST_STAKE)
    return math.log(1.0 - FIRST_STAKE) - math.log(renewals) - math.log(renewals + 1)
