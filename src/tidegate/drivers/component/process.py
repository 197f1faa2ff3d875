"""
Moves versions of a service that runs as processes on this machine, behind a proxy.

Each version in use has a pool: a few processes, each on a port of its own, under the supervisor. The
candidate's pool is made ready before it gets traffic, and both pools stay until `retire`.

What serves is read from the data plane: the split names pools, versions and digests. On disk, per
placement, is only what it can't tell: `asked.json` (the newest assignment, written before anything is
done about it), `stop.json` (a stop that came before there was a route), `finished.json` (the
generation whose roles were swapped last, since a read may still show them unswapped), and the ports
of the pools. Each call takes the placement from wherever the last one left it, so it may be killed at
any point. Only a withdrawal takes no lock: it must work while another call hangs.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

from tidegate.documents.records import from_json, to_json
from tidegate.domain.quantities import (
    FULL_WEIGHT_BPS,
    NO_EXPOSURE,
    Exposure,
    Generation,
    Placement,
    Version,
)
from tidegate.drivers.component.fencing import (
    Served,
    after_apply,
    after_finish,
    after_retirement,
    after_withdrawal,
    same,
)
from tidegate.drivers.component.placement_folder import folder_name, folder_of
from tidegate.drivers.component.process_observe import (
    Stand,
    applied_of,
    never_applied,
    problem_of,
)
from tidegate.drivers.component.process_pools import MemberPool, Pools, new_pool
from tidegate.drivers.component.process_settings import read_route, read_settings
from tidegate.drivers.component.process_versions import Versions
from tidegate.drivers.durable import locked, read_file, replace_file
from tidegate.errors import StaleGenerationError, StoreError, WorkloadError
from tidegate.ports.component import Applied, Assignment
from tidegate.ports.processes import ProcessSupervisor
from tidegate.ports.traffic import AppliedSplit, Pool, Route, Split, TrafficDriver

LOCK_WAIT: Final = timedelta(seconds=10)

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Noted:
    """A generation that is kept beside the placement; what for is its file's name."""

    generation: Generation


class ProcessComponent:
    """
    Moves the versions of one component of processes.

    *root* is where versions and placements are kept; *processes* runs them; *traffic* sends requests
    to them.
    """

    def __init__(self, processes: ProcessSupervisor, traffic: TrafficDriver, root: Path) -> None:
        self._processes = processes
        self._traffic = traffic
        self._root = root
        self._versions = Versions(root, processes)
        # Held while a pool is begun or a version removed, so that neither happens in the other.
        self._versions_lock = root / "versions.lock"

    async def resolve(self, version: str, settings_json: str) -> Version:
        """Return *version* with its digest; see `Versions.resolve`."""
        return await self._versions.resolve(version, read_settings(settings_json))

    async def apply(self, assignment: Assignment) -> None:
        """Start members, and set the split once they are ready; see the port."""
        placement = assignment.placement
        folder = folder_of(self._root, placement)
        async with locked(folder / "lock", wait=LOCK_WAIT):
            before = self._asked(placement)
            _refuse_superseded(assignment, before)
            split = await self._traffic.read_split(_route_of(assignment))
            served = self._served(placement, split)
            told = after_apply(served, assignment)
            if told is served:
                return
            if assignment != before:
                await asyncio.to_thread(replace_file, folder / "asked.json", to_json(assignment))
            if split.split is not None and _only_falls(told, served):
                # The safe direction waits for nothing: not for members, not for an installation.
                await self._set_split(assignment, told, _pools_of(split.split))
            await self._bring_up(assignment, told, split.split)

    async def observe(self, placement: Placement) -> Applied:
        """Return what the data plane follows and how the members are; see the port."""
        asked = self._asked(placement)
        if asked is None:
            return never_applied(placement, self._early_stop(placement))
        split = await self._traffic.read_split(_route_of(asked))
        stand = Stand(asked=asked, split=split, served=self._served(placement, split))
        return await applied_of(stand, self._pools(placement), self._versions)

    async def withdraw(self, placement: Placement, generation: Generation | None) -> None:
        """Send everyone to the baseline at once; the members stay as they are. See the port."""
        asked = self._asked(placement)
        if asked is not None:
            await self._traffic.withdraw(_route_of(asked), generation)
            return
        early = Served(stopped_at_generation=self._early_stop(placement))
        stopped_at = after_withdrawal(early, generation).stopped_at_generation
        assert stopped_at is not None, "a withdrawal always latches"
        await self._note(placement, "stop.json", stopped_at)

    async def finish(self, placement: Placement, generation: Generation) -> None:
        """Swap the roles of the two pools, moving no request; see the port."""
        async with self._opened(placement) as stand:
            if stand is None:
                after_finish(Served(), generation)
                return
            served = stand.served
            if served.candidate is not None:
                # Noted but not seen: it was cut off, or the read lags. Once more is harmless.
                served = replace(served, finished_at_generation=None)
            told = after_finish(served, generation)
            if told != served and stand.split.split is not None:
                await self._note(placement, "finished.json", generation)
                await self._set_split(stand.asked, told, _pools_of(stand.split.split))

    async def retire(self, placement: Placement) -> None:
        """Take pools without exposure off the route, drain them, and end their processes."""
        async with self._opened(placement) as stand:
            if stand is None:
                return
            told = after_retirement(stand.served)
            if told != stand.served and stand.split.split is not None:
                await self._set_split(stand.asked, told, _pools_of(stand.split.split))
            wanted = [told.baseline, told.candidate]
            if stand.is_on_its_way:
                wanted += [stand.asked.baseline, stand.asked.candidate]
            in_use = {version.digest for version in wanted if version is not None}
            pools = self._pools(placement)
            gone = [pool for pool in pools.all() if pool.version.digest not in in_use]
            await asyncio.gather(*(pools.take_away(pool) for pool in gone))
        for pool in gone:
            await self._forget(pool.version)

    async def _bring_up(self, assignment: Assignment, told: Served, split: Split | None) -> None:
        """Make sure of the members of both pools; once those in use are ready, set the split."""
        assert told.baseline is not None, "an assignment has a baseline"
        settings = read_settings(assignment.settings_json)
        pools = self._pools(assignment.placement)
        wanted = [(told.baseline, settings.members)]
        if told.candidate is not None:
            count = settings.candidate_members(told.exposure)
            wanted.append((told.candidate, count))
        known = _pools_of(split) if split is not None else {}
        ready = True
        for version, count in wanted:
            pool = pools.of(version) or await self._begin_pool(assignment, version)
            if pool is None:
                ready = ready and not _in_use(version, told)
                continue
            pool = await pools.grow(pool, count)
            known[version.digest] = pool.split_pool()
            if _in_use(version, told):
                ready = ready and await self._is_ready(pools, pool)
        if ready:
            await self._set_split(assignment, told, known)

    async def _begin_pool(self, assignment: Assignment, version: Version) -> MemberPool | None:
        """Return a new pool for *version*, or None while that is being installed."""
        settings = read_settings(assignment.settings_json)
        async with locked(self._versions_lock, wait=LOCK_WAIT):
            launch = await self._versions.launch(version, settings)
            if launch is None:
                return None
            # The generation tells a pool from an earlier one of the same version, long retired.
            digest = version.digest.removeprefix("sha256:")[:10]
            name = f"{folder_name(assignment.placement)}-{digest}-g{assignment.generation}"
            pool = new_pool(name, version, launch, settings)
            await self._pools(assignment.placement).write(pool)
        return pool

    async def _forget(self, version: Version) -> None:
        """Remove what was installed for *version*, unless a pool of any placement uses it."""
        async with locked(self._versions_lock, wait=LOCK_WAIT):
            for folder in (self._root / "placements").iterdir():
                if Pools(folder, self._processes).of(version) is not None:
                    return
            await asyncio.to_thread(self._versions.forget, version.digest)

    async def _is_ready(self, pools: Pools, pool: MemberPool) -> bool:
        damage = await self._versions.damage(pool.version.digest)
        return not any(problem_of(seen, pool, damage) for seen in await pools.look(pool))

    async def _set_split(
        self, assignment: Assignment, told: Served, known: Mapping[str, Pool]
    ) -> None:
        assert told.baseline is not None, "a split has a baseline"
        candidate = known.get(told.candidate.digest) if told.candidate is not None else None
        assert candidate is not None or told.exposure == NO_EXPOSURE, "exposure needs a candidate"
        split = Split(
            generation=told.generation,
            baseline=known[told.baseline.digest],
            candidate=candidate,
            weight_bps=told.exposure.weight_bps,
            internal_open=told.exposure.internal,
            warm=tuple(known[kept.digest] for kept in told.warm if kept.digest in known),
        )
        await self._traffic.set_split(_route_of(assignment), split)

    @asynccontextmanager
    async def _opened(self, placement: Placement) -> AsyncIterator[Stand | None]:
        """Hold the placement's lock with all that is known of it; None when it was never applied."""
        async with locked(folder_of(self._root, placement) / "lock", wait=LOCK_WAIT):
            asked = self._asked(placement)
            if asked is None:
                yield None
                return
            split = await self._traffic.read_split(_route_of(asked))
            yield Stand(asked=asked, split=split, served=self._served(placement, split))

    def _served(self, placement: Placement, seen: AppliedSplit) -> Served:
        """Return what the data plane says was last told."""
        split = seen.split
        stops = [seen.stopped_at_generation, self._early_stop(placement)]
        in_force = split.generation if split is not None else Generation(0)
        stop = max((stop for stop in stops if stop is not None and stop >= in_force), default=None)
        if split is None:
            return Served(stopped_at_generation=stop)
        candidate = split.candidate
        finished_at = self._noted(placement, "finished.json")
        return Served(
            generation=split.generation,
            stopped_at_generation=stop,
            exposure=Exposure(internal=split.internal_open, weight_bps=split.weight_bps),
            baseline=_version_of(split.baseline),
            candidate=_version_of(candidate) if candidate is not None else None,
            warm=tuple(_version_of(pool) for pool in split.warm),
            finished_at_generation=finished_at if finished_at == in_force else None,
        )

    def _asked(self, placement: Placement) -> Assignment | None:
        return _record(Assignment, folder_of(self._root, placement) / "asked.json")

    def _early_stop(self, placement: Placement) -> Generation | None:
        return self._noted(placement, "stop.json")

    def _noted(self, placement: Placement, name: str) -> Generation | None:
        noted = _record(_Noted, folder_of(self._root, placement) / name)
        return noted.generation if noted is not None else None

    async def _note(self, placement: Placement, name: str, generation: Generation) -> None:
        path = folder_of(self._root, placement) / name
        await asyncio.to_thread(replace_file, path, to_json(_Noted(generation=generation)))

    def _pools(self, placement: Placement) -> Pools:
        return Pools(folder_of(self._root, placement), self._processes)


def _refuse_superseded(assignment: Assignment, before: Assignment | None) -> None:
    """Refuse what is older than, or not the same as, what was already taken note of."""
    if before is None or before.generation < assignment.generation:
        return
    repeated = (
        before.generation == assignment.generation
        and before.exposure == assignment.exposure
        and same(before.candidate, assignment.candidate)
        and same(before.baseline, assignment.baseline)
    )
    if not repeated:
        raise StaleGenerationError(
            f"generation {assignment.generation} came after generation {before.generation}, "
            f"which asks for {before.candidate.name} at {before.exposure}",
            hint="Read what is served and decide anew; another write came first.",
        )


def _only_falls(told: Served, served: Served) -> bool:
    """Return whether nobody meets another version than before, but for the baseline."""
    return (
        same(told.baseline, served.baseline)
        and not told.exposure.exceeds(served.exposure)
        and (told.exposure == NO_EXPOSURE or same(told.candidate, served.candidate))
    )


def _in_use(version: Version, told: Served) -> bool:
    """Return whether requests would reach *version* under *told*."""
    if same(version, told.baseline):
        return told.exposure.weight_bps < FULL_WEIGHT_BPS
    return told.exposure != NO_EXPOSURE


def _pools_of(split: Split) -> dict[str, Pool]:
    pools = (split.baseline, *((split.candidate,) if split.candidate else ()), *split.warm)
    return {pool.digest: pool for pool in pools}


def _version_of(pool: Pool) -> Version:
    return Version(name=pool.version, digest=pool.digest)


def _route_of(assignment: Assignment) -> Route:
    return read_route(
        assignment.placement, assignment.settings_json, assignment.target_settings_json
    )


def _record(kind: type[Record], path: Path) -> Record | None:
    text = read_file(path)
    if text is None:
        return None
    try:
        return from_json(kind, text)
    except StoreError as exc:
        raise WorkloadError(f"{path} can't be used: {exc.message}", hint=exc.hint) from exc
