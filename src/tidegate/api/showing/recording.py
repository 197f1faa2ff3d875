"""From recordings to the API's shapes and back. Nothing is computed here."""

from datetime import timedelta

from tidegate.api.shapes import recording as shapes
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import TargetName
from tidegate.usecases.simulation.recording import (
    RecordedArm,
    RecordedPeriod,
    RecordedSignal,
    Recording,
)


def show_recording(recording: Recording) -> shapes.Recording:
    """Return *recording* as it is sent."""
    return shapes.Recording(
        rollout=recording.rollout,
        service=recording.service,
        change=recording.change,
        ended=recording.ended,
        periods=[
            shapes.RecordedPeriod(
                target=period.target,
                begins_seconds=period.begins.total_seconds(),
                lasts_seconds=period.lasts.total_seconds(),
                set_bps=period.weight_bps,
                signals=[_show_signal(signal) for signal in period.signals],
            )
            for period in recording.periods
        ],
    )


def read_recording(shown: shapes.Recording) -> Recording:
    """
    Return the recording that was sent as *shown*.

    Raises:
        ValueError: it names a kind of signal that this release doesn't know.
    """
    return Recording(
        rollout=shown.rollout,
        service=shown.service,
        change=shown.change,
        ended=shown.ended,
        periods=tuple(
            RecordedPeriod(
                target=TargetName(period.target),
                begins=timedelta(seconds=period.begins_seconds),
                lasts=timedelta(seconds=period.lasts_seconds),
                weight_bps=period.set_bps,
                signals=tuple(_read_signal(signal) for signal in period.signals),
            )
            for period in shown.periods
        ),
    )


def _show_signal(signal: RecordedSignal) -> shapes.RecordedSignal:
    return shapes.RecordedSignal(
        name=signal.name,
        kind=signal.kind.value,
        candidate=_show_arm(signal.candidate),
        baseline=_show_arm(signal.baseline),
        bounds_ms=list(signal.bounds),
    )


def _show_arm(arm: RecordedArm) -> shapes.RecordedArm:
    return shapes.RecordedArm(total=arm.total, bad=arm.bad, buckets=list(arm.buckets))


def _read_signal(shown: shapes.RecordedSignal) -> RecordedSignal:
    return RecordedSignal(
        name=shown.name,
        kind=SignalKind(shown.kind),
        candidate=_read_arm(shown.candidate),
        baseline=_read_arm(shown.baseline),
        bounds=tuple(shown.bounds_ms),
    )


def _read_arm(shown: shapes.RecordedArm) -> RecordedArm:
    return RecordedArm(total=shown.total, bad=shown.bad, buckets=tuple(shown.buckets))
