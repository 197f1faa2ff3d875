"""Readings in any order, as often as one likes: what happened is counted once, or not at all."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.domain.health.readings import Quality, Reading, SeriesCounts
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm
from tidegate.ports.signals import SignalQuery
from tidegate.testing.builders import START, a_placement, a_signal
from tidegate.usecases.watch_queries import Asked
from tidegate.usecases.watch_ticks import Readings

SPEC = a_signal()
QUESTION = Asked(
    spec=SPEC,
    weight_bps=500,
    query=SignalQuery(
        placement=a_placement(),
        signal="errors",
        kind=SignalKind.ERRORS,
        source="memory",
        settings={},
        arms={},
        component_settings_json="{}",
        target_settings_json="{}",
    ),
)


@st.composite
def measurements(draw):
    """Draw what a source measured every 10 s: growing counts of two zones in both arms."""
    totals = dict.fromkeys([(arm, zone) for arm in Arm for zone in "ab"], 0)
    found = []
    for number in range(draw(st.integers(2, 8))):
        arms = {arm: {} for arm in Arm}
        for arm, zone in totals:
            totals[arm, zone] += draw(st.integers(0, 50))
            arms[arm][f"m-{zone}"] = SeriesCounts(total=float(totals[arm, zone]), group=zone)
        found.append(Reading(at=START + timedelta(seconds=10 * number), arms=arms))
    return found


def whole(reading, arm):
    return sum(series.total for series in reading.arms[arm].values())


@settings(max_examples=100, deadline=None)
@given(measurements(), st.data())
def test_what_happened_is_counted_once(measured, data):
    """Late, repeated and lost readings add nothing and lose nothing between the first and the last seen."""
    order = data.draw(st.lists(st.sampled_from(range(len(measured))), min_size=1, max_size=20))
    readings = Readings()
    counted = dict.fromkeys(Arm, 0)
    seen = []
    for place in order:
        if not seen or place > seen[-1]:
            seen.append(place)

        found = readings.gather(
            [QUESTION],
            [measured[place]],
            at=measured[place].at,
            stale_after=timedelta(hours=1),
            signals=[SPEC],
            exercises=[],
        )

        [given_input] = found.inputs
        assert given_input.quality is Quality.GOOD
        for stratum in given_input.strata:
            counted[Arm.CANDIDATE] += stratum.candidate.total
            counted[Arm.BASELINE] += stratum.baseline.total

    for arm in Arm:
        first, last = measured[seen[0]], measured[seen[-1]]
        assert counted[arm] == whole(last, arm) - whole(first, arm)
