"""
Synthetic faults: one thing wrong at a time, of a known size, so that plans can be compared by it.

What each does under a plan isn't said here: that is what a simulation finds out.
"""

from datetime import timedelta
from typing import Final

from tidegate.usecases.simulation.scenario import (
    LAST_TARGET,
    Fault,
    Kind,
    Scenario,
    Since,
    Whom,
)

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)


def _fault(name: str, title: str, text: str, *faults: Fault) -> Scenario:
    return Scenario(name=name, title=title, kind=Kind.FAULT, faults=faults, text=text)


FAULTS: Final = (
    _fault(
        "errors-0.5pp",
        "+0.5 pp errors",
        "One request in two hundred fails in addition, from the first one on.",
        Fault(errors=0.005),
    ),
    _fault(
        "errors-2pp",
        "+2 pp errors",
        "One request in fifty fails in addition, from the first one on.",
        Fault(errors=0.02),
    ),
    _fault(
        "latency-tail",
        "slow tail +50%",
        "The slowest tenth of answers takes half as long again.",
        Fault(slower=1.5),
    ),
    _fault(
        "usage-30",
        "usage -30%",
        "Nothing fails, but three in ten users no longer do what they came for.",
        Fault(usage=0.7),
    ),
    _fault(
        "slow-leak",
        "slow leak to +1%",
        "Well for two hours, then more and more requests fail: one in a hundred an hour later.",
        Fault(after=2 * _HOUR, over=_HOUR, errors=0.01, saturation=1.5),
    ),
    _fault(
        "one-region",
        "+5 pp errors in the last region",
        "Only the last target of the plan is hit: what its users have is different.",
        Fault(target=LAST_TARGET, errors=0.05),
    ),
    _fault(
        "one-path",
        "one feature path broken",
        "Half of the requests on the changed path fail; one request in fifty takes it.",
        Fault(path=0.02, errors=0.5),
    ),
    _fault(
        "peak-load",
        "+3 pp errors at peak load",
        "It holds until traffic is a quarter above its mean, and then drops requests.",
        Fault(load_above=1.25, errors=0.03),
    ),
    _fault(
        "no-traffic",
        "no traffic to the candidate",
        "The candidate is exposed and gets no requests: a wrong route, or a probe that never succeeds.",
        Fault(arrives=0.0),
    ),
    _fault(
        "missing-data",
        "candidate's data missing",
        "After half an hour the candidate's metrics are gone, while it goes on serving.",
        Fault(after=30 * _MINUTE, silent=True),
    ),
    _fault(
        "brown-out",
        "brown-out of both arms",
        "A dependency fails for everybody for half an hour. Not the change's doing: it must not halt.",
        Fault(
            whom=Whom.BOTH,
            since=Since.START,
            after=3 * _HOUR,
            lasts=30 * _MINUTE,
            errors=0.05,
            slower=2.0,
        ),
    ),
)

AA: Final = Scenario(
    name="aa",
    title="A/A (no fault)",
    kind=Kind.AA,
    text="The candidate is as good as the baseline: whatever halts is a false alarm.",
)
