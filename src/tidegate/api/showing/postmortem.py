"""The draft of a postmortem as it is shown."""

from datetime import datetime, timedelta

from tidegate.api.shapes import postmortem as shapes
from tidegate.api.showing.rollout import show_change
from tidegate.domain.review.blameless import without_names
from tidegate.domain.review.postmortem import Moment
from tidegate.usecases.postmortem import Written


def show_postmortem(written: Written, *, now: datetime) -> shapes.Postmortem:
    """Return *written* as it is shown at *now*."""
    rollout, made = written.rollout, written.postmortem
    halt = rollout.halt
    return shapes.Postmortem(
        rollout=rollout.id,
        service=rollout.service,
        change=show_change(rollout),
        state=rollout.state.value,
        stopped_because=None if halt is None else without_names(halt.because, made.roles),
        stopped_at=None if halt is None else halt.at,
        exposed_until_halt_seconds=_seconds(made.latencies.exposed_until_halt),
        halt_until_withdrawn_seconds=_seconds(made.latencies.halt_until_withdrawn),
        halt_until_over_seconds=_seconds(made.latencies.halt_until_over),
        most_exposed_bps=made.most_exposed_bps,
        impacts=[
            shapes.Impact(signal=one.signal, served=one.served, bad=one.bad, excess=one.excess)
            for one in made.impacts
        ],
        guards=[
            shapes.Guard(signal=one.signal, caught=one.caught.value, detail=one.detail)
            for one in made.guards
        ],
        timeline=[_moment(one) for one in made.timeline],
        exposure=[shapes.Seen(at=at, exposure_bps=bps) for at, bps in made.exposure],
        harm=[shapes.HarmPoint(at=one.at, log_e_harm=dict(one.log_e_harm)) for one in made.harm],
        harm_threshold=made.threshold,
        replayed=[
            shapes.Replayed(
                number=one.number,
                rule=one.rule,
                is_same=one.is_same,
                differences=[*one.differences],
            )
            for one in written.replayed
        ],
        not_replayed=written.left_out,
        as_of=now,
    )


def _moment(moment: Moment) -> shapes.Moment:
    return shapes.Moment(
        number=moment.number,
        at=moment.at,
        who=moment.who,
        what=moment.what,
        rule=moment.rule,
        state=moment.state,
        is_change=moment.is_change,
        exposure_bps=moment.exposure_bps,
        blame=[shapes.Blame(wording=one.wording, instead=one.instead) for one in moment.blame],
    )


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()
