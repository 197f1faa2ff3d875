"""
The gates of a plan, from what is written of them: names, settings with their defaults, phases.

A phase that is written once may be carried out in several; a gate before it is before each of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tidegate.documents.gate_kinds import GATE_KINDS
from tidegate.documents.gates import GateSettings, settings_json
from tidegate.documents.gates_verifying import IN_SHORT
from tidegate.documents.gates_written import Gates, OneGate
from tidegate.documents.notation import shown
from tidegate.documents.plans import ExpandedPhase
from tidegate.documents.problems import Complaint, KeyPath
from tidegate.domain.gates.model import GateMoment, GateSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """One entry, read: which kind with which settings, and where it stands."""

    kind: str
    settings: GateSettings
    moment: GateMoment
    path: KeyPath


def resolve_gates(
    written: Gates | None, phases: Sequence[ExpandedPhase], complaints: list[Complaint]
) -> tuple[GateSpec, ...]:
    """Return the gates that *written* asks for, in its order, those before the start first."""
    if written is None:
        return ()
    specs: dict[str, GateSpec] = {}
    for entry in _entries(written, complaints):
        name = entry.settings.name or entry.kind
        if name.endswith(IN_SHORT):
            complaints.append(
                Complaint(
                    path=(*entry.path, entry.kind, "name"),
                    what=f"a gate can't be called {name}: what ends in {IN_SHORT} is an emergency's",
                    fix=f"give it another name, as {name.removesuffix(IN_SHORT)}-short",
                )
            )
        if name in specs:
            complaints.append(
                Complaint(
                    path=entry.path,
                    what=f"two gates are called {name}",
                    fix=f"give one of them a name of its own: {{{entry.kind}: {{name: …}}}}",
                )
            )
            continue
        specs[name] = GateSpec(
            name=name,
            kind=entry.kind,
            moment=entry.moment,
            settings_json=settings_json(entry.settings),
            lasts=entry.settings.lasts or GATE_KINDS[entry.kind].lasts,
            phases=_phases(entry, phases, complaints),
        )
    return tuple(specs.values())


def _entries(written: Gates, complaints: list[Complaint]) -> Iterable[_Read]:
    for moment, entries in (
        (GateMoment.BEFORE_START, written.before_start),
        (GateMoment.BEFORE_PHASE, written.before_phase),
    ):
        for index, entry in enumerate(entries):
            path = ("gates", moment.value, index)
            kind, given = (entry, None) if isinstance(entry, str) else _only(entry)
            if given is None and (lacking := _lacking(kind)):
                complaints.append(Complaint(path=path, what=lacking[0], fix=lacking[1]))
                continue
            yield _Read(kind=kind, settings=_settings(kind, given), moment=moment, path=path)


def _lacking(kind: str) -> tuple[str, str] | None:
    """Return why a gate of *kind* can't stand alone, with the fix; None when it can."""
    if GATE_KINDS[kind].stands_alone:
        return None
    needed, one_of = GATE_KINDS[kind].needed, GATE_KINDS[kind].one_of
    words = [*(f"`{key}`" for key in needed), *([f"`{'` or `'.join(one_of)}`"] if one_of else [])]
    keys = ", ".join(f"{key}: …" for key in (*needed, *one_of[:1]))
    return (
        f"the gate {kind} can't stand alone: it needs {', '.join(words)}",
        f"write {{{kind}: {{{keys}}}}}",
    )


def _only(item: OneGate) -> tuple[str, Any]:
    ((kind, given),) = item.written().items()
    return kind, given


def _settings(kind: str, given: Any) -> GateSettings:
    model = GATE_KINDS[kind].settings
    if given is None:
        return model()
    if isinstance(given, GateSettings):
        return given
    short = GATE_KINDS[kind].short
    assert short is not None, f"{kind} has no setting that may stand alone"
    # It was checked as what it is; the models would want it as it is written.
    return model().model_copy(update={short: given})


def _phases(
    entry: _Read, phases: Sequence[ExpandedPhase], complaints: list[Complaint]
) -> tuple[str, ...]:
    """Return the phases to carry out that stand for those that the entry names."""
    named = entry.settings.phases
    if named is None:
        return ()
    path = (*entry.path, entry.kind, "phases")
    if entry.moment is GateMoment.BEFORE_START:
        complaints.append(
            Complaint(
                path=path,
                what="a gate before the start has no phases",
                fix="remove `phases`, or move the gate to before_phase",
            )
        )
        return ()
    found: list[str] = []
    for index, name in enumerate(named):
        standing_for = [phase.name for phase in phases if name in (phase.step.name, phase.name)]
        if not standing_for:
            known = ", ".join(dict.fromkeys(phase.step.name for phase in phases))
            complaints.append(
                Complaint(
                    path=(*path, index),
                    what=f"there is no phase {shown(name)}",
                    fix=f"take one of: {known}",
                )
            )
        found += standing_for
    return tuple(dict.fromkeys(found))
