"""A postmortem as it is shown: the draft, and what people wrote into it."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from tidegate.api.shapes import postmortem as shapes
from tidegate.api.showing.rollout import show_change
from tidegate.domain.review.blameless import Blame, Names, findings, without_names
from tidegate.domain.review.postmortem import Moment
from tidegate.domain.review.suggestions import Suggestion
from tidegate.domain.review.written import Action, Factor
from tidegate.usecases.postmortem import Written


def show_postmortem(written: Written, *, now: datetime) -> shapes.Postmortem:
    """Return *written* as it is shown at *now*."""
    rollout, made = written.rollout, written.postmortem
    halt = rollout.halt
    factors = [show_factor(one, written.names) for one in written.review.factors]
    actions = [show_action(one, written.names, now=now) for one in written.review.actions]
    timeline = [_moment(one) for one in made.timeline]
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
        timeline=timeline,
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
        factors=factors,
        actions=actions,
        suggested_factors=_suggestions(written.suggested.factors),
        suggested_actions=_suggestions(written.suggested.actions),
        findings=sum(len(one.blame) for one in timeline)
        + sum(len(one.findings) for one in (*factors, *actions)),
        as_of=now,
    )


def show_factor(factor: Factor, names: Names) -> shapes.Factor:
    """Return *factor* as it is shown: without *names*, and with what should be said otherwise."""
    return shapes.Factor(
        id=factor.id,
        version=factor.version,
        text=without_names(factor.text, names.roles),
        findings=_blame(findings(factor.text, names)),
        by=factor.by,
        at=factor.at,
        changed_by=factor.changed_by or None,
        changed_at=factor.changed_at,
        suggestion=factor.suggestion or None,
    )


def show_action(action: Action, names: Names, *, now: datetime) -> shapes.Action:
    """Return *action* as it is shown at *now*, as `show_factor` does. Its owner keeps their name."""
    return shapes.Action(
        **dict(show_factor(action, names)),
        owner=action.owner,
        due=action.due,
        is_done=action.is_done,
        is_overdue=action.is_overdue(now),
        done_by=action.done_by or None,
        done_at=action.done_at,
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
        blame=_blame(moment.blame),
    )


def _suggestions(found: Iterable[Suggestion]) -> list[shapes.Suggestion]:
    return [shapes.Suggestion(key=one.key, text=one.text) for one in found]


def _blame(found: Iterable[Blame]) -> list[shapes.Blame]:
    return [shapes.Blame(wording=one.wording, instead=one.instead) for one in found]


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else length.total_seconds()
