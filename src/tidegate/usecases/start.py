"""
Starting a rollout: resolve what is to be moved, refuse what can't be undone, record it. Moves nothing.

A rollout that is started waits; `step` does the rest. Refusals come before anything is written.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tidegate.documents.canonical import plan_hash
from tidegate.documents.service_file import ResolvedService
from tidegate.domain.access.model import DEFAULT_ORGANISATION, DEFAULT_PROJECT, Resource
from tidegate.domain.plan.model import (
    Change,
    ComponentChange,
    Move,
    Phase,
    Plan,
    ServiceSpec,
    Supersede,
)
from tidegate.domain.policy.demands import demands_of, rules_in_force, with_demands
from tidegate.domain.policy.model import NO_POLICY, Policy
from tidegate.domain.quantities import (
    NO_EXPOSURE,
    ComponentName,
    Environment,
    Generation,
    Placement,
    RolloutId,
    TargetName,
    Version,
)
from tidegate.domain.rollout.decisions import Seen
from tidegate.domain.rollout.machine import Event, State
from tidegate.domain.rollout.model import ReasonCode, Rollout, WaitingOn, WhoCanAct
from tidegate.domain.rollout.seen import not_yet_shown
from tidegate.errors import ActiveRolloutError, InvalidRequestError, RefusedError, StateMovedError
from tidegate.ports.component import Applied
from tidegate.ports.store import ServiceRecord, Transaction
from tidegate.usecases.emergency_start import Hurry, begin_under, hurry
from tidegate.usecases.forecast_findings import refuse_unprovable
from tidegate.usecases.gates import note_waivers
from tidegate.usecases.new_signals import begin_in_shadow, with_shadows
from tidegate.usecases.observe import seen
from tidegate.usecases.outside import Outside
from tidegate.usecases.policies import policy_in_force
from tidegate.usecases.quarantine import end_quarantines
from tidegate.usecases.queue import (
    bundled_versions,
    ended_last,
    in_the_way,
    line_up,
    put_off,
    supersede_queued,
    targets_of,
)
from tidegate.usecases.record import note_command
from tidegate.usecases.resources import resource_of_service
from tidegate.usecases.withdraw import issue, with_generations

INSTALL_PLAN = "install"
"""The plan of a first deployment: nothing is served, so nobody is exposed to anything new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """
    What a start would do: the resolved service with its plan, the change, and what it replaces.

    `seen` is what the targets showed, `in_force` the generation that each of them follows, `shadowed` the
    signals that begin in shadow because they are new, `hurried` what an emergency made of the plan.
    """

    spec: ServiceSpec
    change: Change
    plan: Plan
    plan_hash: str
    baselines: tuple[tuple[Placement, Version], ...]
    in_force: tuple[tuple[TargetName, Generation], ...]
    seen: tuple[Seen, ...]
    is_install: bool
    shadowed: tuple[str, ...] = ()
    hurried: Hurry | None = None


async def propose(
    outside: Outside,
    resolved: ResolvedService,
    versions: Mapping[str, str],
    *,
    emergency: str | None = None,
    organisation: str = DEFAULT_ORGANISATION,
) -> Proposal:
    """
    Return what starting *versions* (component to version) of a service would do. Changes nothing.

    The same code serves `plan` and `start`, so the plan that was looked at is the plan that runs. Under
    *emergency*, which must be authorised, it is the shortened one. A service that is new is of
    *organisation*, whose policy says what must be agreed to; one that is known stays where it is.

    Raises:
        InvalidRequestError: a component is unknown or no component changes.
        VersionNotFoundError: a version doesn't exist.
        RefusedError: a target is a lab and the server isn't, only some targets serve the service, or
            plan and policy ask different groups to approve.
        WorkloadError, TrafficError: a target can't be asked what it serves.
    """
    spec = resolved.spec
    _refuse_lab(outside, spec)
    change = await resolve_change(outside, spec, versions)
    plan = only_moves_of(spec.plan, change)
    observed = await _observed(outside, spec, plan)
    served = [(applied.placement, applied.serving) for applied in observed]
    baselines = tuple((place, version) for place, version in served if version is not None)
    is_install = not baselines
    if is_install:
        plan = _install_plan(plan)
        baselines = tuple((place, _wanted(change, place)) for place, _ in served)
    elif len(baselines) < len(served):
        empty = ", ".join(str(place) for place, version in served if version is None)
        raise RefusedError(
            f"nothing is served at {empty}, but elsewhere it is",
            hint="a first deployment has no baseline to compare with: start it there alone, with a"
            " tidegate.yaml that names only those targets",
        )
    elif all(version == _wanted(change, place) for place, version in baselines):
        names = ", ".join(f"{part.component}={part.to.name}" for part in change.components)
        raise RefusedError(
            f"{spec.name} serves {names} already",
            hint="there is nothing to do; see what it serves with `tidegate status`",
        )
    with outside.store.begin(read_only=True) as transaction:
        # Before an emergency shortens the plan: what its two persons stand for is part of that.
        home = resource_of_service(transaction, spec.name)
        whose = organisation if home is None else home.organisation
        rules = rules_in_force(policy_in_force(transaction, whose), outside.identity_mode)
        plan = with_demands(rules, spec, plan)
    hurried: Hurry | None = None
    if emergency is not None:
        hurried = hurry(outside, emergency, spec, change, plan, is_install=is_install)
        plan = hurried.shortened.plan
    with outside.store.begin(read_only=True) as transaction:
        shadowed = begin_in_shadow(transaction, spec.name, plan)
    plan = with_shadows(plan, shadowed)
    return Proposal(
        spec=replace(spec, plan=plan),
        change=change,
        plan=plan,
        plan_hash=plan_hash(
            resolved,
            change,
            shadowed=shadowed,
            emergency=hurried.mark if hurried else "",
            demands=demands_of(plan),
        ),
        baselines=baselines,
        in_force=_in_force(observed),
        seen=tuple(seen(applied) for applied in observed),
        is_install=is_install,
        shadowed=shadowed,
        hurried=hurried,
    )


async def start_rollout(
    outside: Outside,
    resolved: ResolvedService,
    versions: Mapping[str, str],
    *,
    actor: str,
    person: str | None = None,
    expected_plan_hash: str | None = None,
    emergency: str | None = None,
    organisation: str = DEFAULT_ORGANISATION,
    project: str = DEFAULT_PROJECT,
) -> Rollout:
    """
    Record a new rollout and set it going. A new service begins in *organisation* and *project*; one
    that is known stays where it is, whoever starts it.

    *person* stands behind *actor* and can't approve it.

    Raises:
        RefusedError: as `propose`; *expected_plan_hash* isn't the hash any more; a gate can't be
            proven with the traffic that is known; or nothing can be started under *emergency*.
        ActiveRolloutError: a first deployment is under way on one of the targets, or under an
            emergency any other rollout is. Otherwise the new one is queued behind others.
    """
    if emergency is None:
        versions = _bundled(outside, resolved, versions)
    proposal = await propose(
        outside, resolved, versions, emergency=emergency, organisation=organisation
    )
    if expected_plan_hash is not None and expected_plan_hash != proposal.plan_hash:
        raise RefusedError(
            f"the plan is {proposal.plan_hash} now, not {expected_plan_hash}",
            hint="tidegate.yaml or the versions changed since the plan was made: plan again",
        )
    await refuse_unprovable(outside, proposal.spec, proposal.plan, is_install=proposal.is_install)
    now = outside.clock.now()
    with outside.store.begin() as transaction:
        transaction.put_service(
            ServiceRecord(
                name=resolved.spec.name,
                canonical_json=resolved.canonical_json,
                digest=resolved.digest,
                updated_at=now,
            )
        )
        home = resource_of_service(transaction, resolved.spec.name) or Resource(
            organisation=organisation, project=project
        )
        planned = replace(
            new_rollout(
                proposal,
                rollout_id=_new_id(transaction, proposal, now),
                actor=actor,
                person=person,
                policy=policy_in_force(transaction, home.organisation),
                now=now,
            ),
            organisation=home.organisation,
            project=home.project or project,
        )
        reason = ", ".join(f"{c.component}={c.to.name}" for c in proposal.change.components)
        before = in_the_way(transaction, planned.service, targets_of(planned))
        behind = not_yet_shown(proposal.seen, ended_last(transaction, planned), now)
        if behind and (proposal.hurried is not None or proposal.is_install):
            raise StateMovedError(behind, hint="start it again in a moment")
        if proposal.hurried is not None:
            started = _begin_hurried(transaction, planned, proposal, proposal.hurried)
        elif before:
            planned = replace(planned, joined=_joined(transaction, planned))
            _refuse_behind_first(proposal, before)
            started = line_up(transaction, planned, before, actor=actor)
        elif behind:
            started = put_off(transaction, planned, behind)
        else:
            started = _begin(transaction, planned, proposal)
        note_command(
            transaction, planned, started, actor=actor, verb="start", reason=reason, at=now
        )
        note_waivers(transaction, started)
    outside.wake(started.id)
    return started


def _bundled(
    outside: Outside, resolved: ResolvedService, versions: Mapping[str, str]
) -> Mapping[str, str]:
    """Return *versions*, with those of what they are to be joined with."""
    if resolved.spec.plan.supersede is not Supersede.BUNDLE or not versions:
        return versions
    with outside.store.begin(read_only=True) as transaction:
        return bundled_versions(transaction, resolved.spec.name, dict(versions))


def _joined(transaction: Transaction, planned: Rollout) -> tuple[tuple[str, str | None], ...]:
    """Return who started what *planned* is joined with, each with the person behind them."""
    if planned.plan.supersede is not Supersede.BUNDLE:
        return ()
    waiting = transaction.queued(planned.service)
    people = (((one.created_by, one.created_by_person), *one.joined) for one in waiting)
    return tuple(dict.fromkeys(one for several in people for one in several))


def _begin(transaction: Transaction, planned: Rollout, proposal: Proposal) -> Rollout:
    """Add *planned* with its targets; it waits for its first phase."""
    end_quarantines(transaction, planned.service, planned.plan)
    # A generation of its own on every target: stops that earlier rollouts left lie below it,
    # and one that is made from now on, with or without the store, lies above.
    issued = issue(transaction, planned, planned.plan.placements())
    planned = replace(planned, generations=with_generations(planned, issued))
    waiting = replace(
        planned.moved(Event.STARTED, at=planned.created_at),
        generations=_fenced(transaction, proposal),
    )
    transaction.add_rollout(waiting)
    return waiting


def _begin_hurried(
    transaction: Transaction, planned: Rollout, proposal: Proposal, hurried: Hurry
) -> Rollout:
    """
    Begin *planned* under its emergency, before all that waits; what moves its targets has them still.

    It isn't queued: its authority would be used when nobody has it any more.
    """
    holders = transaction.holders(planned.service, targets_of(planned))
    if holders:
        raise ActiveRolloutError(
            f"rollout {holders[0]} has its targets",
            hint=f"end that one first: tidegate rollback {holders[0]}, or tidegate halt {holders[0]}"
            f" and then tidegate rollout abandon {holders[0]}",
        )
    begun = _begin(transaction, planned, proposal)
    begin_under(transaction, begun, hurried, proposal.spec, now=planned.created_at)
    supersede_queued(transaction, begun, actor=planned.created_by, now=planned.created_at)
    return begun


def _refuse_behind_first(proposal: Proposal, before: Sequence[RolloutId]) -> None:
    if proposal.is_install:
        raise ActiveRolloutError(
            f"rollout {before[0]} deploys {proposal.spec.name} for the first time",
            hint="wait until it's over: before that there is no baseline to compare with",
        )


def new_rollout(
    proposal: Proposal,
    *,
    rollout_id: RolloutId,
    actor: str,
    now: datetime,
    person: str | None = None,
    policy: Policy = NO_POLICY,
) -> Rollout:
    """Return the record of a rollout that hasn't begun; *person* is the one behind *actor*."""
    return Rollout(
        id=rollout_id,
        service=proposal.spec.name,
        change=proposal.change,
        plan=proposal.plan,
        plan_hash=proposal.plan_hash,
        baselines=proposal.baselines,
        state=State.PLANNED,
        revision=1,
        created_at=now,
        created_by=actor,
        phase_index=0,
        attempt=1,
        state_since=now,
        phase_since=now,
        waiting_on=WaitingOn(
            reason=ReasonCode.STARTING,
            detail="the first step is due",
            until=None,
            who_can_act=WhoCanAct.NOBODY,
        ),
        components=proposal.spec.components,
        targets=proposal.spec.targets,
        created_by_person=person,
        policy_digest=policy.digest,
        emergency_id=proposal.hurried.emergency.id if proposal.hurried else None,
    )


def _refuse_lab(outside: Outside, spec: ServiceSpec) -> None:
    labs = [target.name for target in spec.targets if target.environment is Environment.LAB]
    if labs and not outside.lab_allowed:
        raise RefusedError(
            f"{', '.join(labs)} is a lab target, and this server isn't a lab",
            hint="leave `environment: lab` out, or start the server with TIDEGATE_LAB_ALLOWED=true",
        )


async def resolve_change(
    outside: Outside, spec: ServiceSpec, versions: Mapping[str, str]
) -> Change:
    """
    Return the change to *versions* (component to version) of a service, by digest.

    Raises:
        InvalidRequestError: a component is unknown, or no version was given.
        VersionNotFoundError: a version doesn't exist.
    """
    names = {component.name for component in spec.components}
    unknown = sorted(set(versions) - names)
    if unknown or not versions:
        raise InvalidRequestError(
            f"{spec.name} has no component {unknown[0]!r}" if unknown else "no version was given",
            hint=f"say --change COMPONENT=VERSION with COMPONENT one of: {', '.join(sorted(names))}",
        )
    resolved = await asyncio.gather(
        *(
            outside.driver(spec.component(ComponentName(name)).driver).resolve(
                version, spec.component(ComponentName(name)).settings_json
            )
            for name, version in sorted(versions.items())
        )
    )
    return Change(
        components=tuple(
            ComponentChange(component=ComponentName(name), to=version)
            for name, version in zip(sorted(versions), resolved, strict=True)
        )
    )


def only_moves_of(plan: Plan, change: Change) -> Plan:
    """Return *plan* without the moves of components that the change leaves alone."""
    phases: list[Phase] = []
    for phase in plan.phases:
        moves = tuple(
            move for move in phase.moves if change.version_of(move.placement.component) is not None
        )
        if moves:
            phases.append(replace(phase, moves=moves))
    if not phases:
        raise InvalidRequestError(
            "no phase of the plan moves what the change changes",
            hint="name the component in the `run:` of a phase, or change another component",
        )
    return replace(plan, phases=tuple(phases))


async def _observed(outside: Outside, spec: ServiceSpec, plan: Plan) -> Sequence[Applied]:
    return await asyncio.gather(
        *(
            outside.driver(spec.component(place.component).driver).observe(place)
            for place in plan.placements()
        )
    )


def _in_force(observed: Sequence[Applied]) -> tuple[tuple[TargetName, Generation], ...]:
    greatest: dict[TargetName, Generation] = {}
    for applied in observed:
        target = applied.placement.target
        greatest[target] = max(greatest.get(target, Generation(0)), applied.generation)
    return tuple(greatest.items())


def _fenced(transaction: Transaction, proposal: Proposal) -> tuple[tuple[str, Generation], ...]:
    """
    Issue the generations that this rollout begins with, above what its targets follow.

    So a stop that an earlier rollout left at a target is older than this rollout, and one that was
    latched there without the store is not.
    """
    return tuple(
        (str(target), transaction.issue_generation(proposal.spec.name, target, above=generation))
        for target, generation in proposal.in_force
    )


def _wanted(change: Change, placement: Placement) -> Version:
    version = change.version_of(placement.component)
    assert version is not None, f"{placement} is not part of the change"
    return version


def _install_plan(plan: Plan) -> Plan:
    moves = tuple(
        Move(placement=placement, exposure=NO_EXPOSURE) for placement in plan.placements()
    )
    first = plan.phases[0]
    phase = Phase(
        name="install",
        ring=first.ring,
        moves=moves,
        bake=timedelta(0),
        bake_max=first.bake_max,
        minimum_requests=0,
        approvals=first.approvals,
        approvers=first.approvers,
        signals=(),
        exercises=(),
    )
    return replace(plan, name=INSTALL_PLAN, phases=(phase,))


def _new_id(transaction: Transaction, proposal: Proposal, now: datetime) -> RolloutId:
    """Return a short id: what is being rolled out and when, hashed; longer only when it's taken."""
    text = f"{proposal.spec.name} {proposal.plan_hash} {now.isoformat()}"
    digest = hashlib.sha256(text.encode()).hexdigest()
    length = 6
    while transaction.rollouts_with_prefix(digest[:length]):
        length += 1
    return RolloutId(digest[:length])
