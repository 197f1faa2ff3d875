"""Whether what Envoy follows is also served, and if not, why: the sentences that people read."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tidegate.domain.quantities import ServiceName
from tidegate.drivers.envoy.admin import EnvoyAdmin
from tidegate.drivers.envoy.layout import Proxy, cluster_name
from tidegate.drivers.traffic import envoy_config, envoy_reading
from tidegate.drivers.traffic.envoy_pools import cluster, needs_dns
from tidegate.drivers.traffic.envoy_state import METADATA
from tidegate.drivers.traffic.fencing import RouteState, pools_in_use
from tidegate.ports.traffic import AppliedSplit, Pool, Route, Split

Json = dict[str, Any]

_LOG_TAIL_BYTES: Final = 64 * 1024
_REFUSAL: Final = re.compile(r"update (?:rejected|failure): (.*?)(?=\n\[\d{4}-|\Z)", re.DOTALL)
_LONGEST_REASON: Final = 300


async def missing(proxy: Proxy, admin: EnvoyAdmin, route: Route, split: Split) -> list[str]:
    """Return what keeps *split*, which Envoy follows, from being served, in sentences."""
    gaps: list[str] = []
    service = route.service
    if proxy.managed:
        wanted = fingerprint_of(envoy_config.listener(route, proxy))
        try:
            if not await envoy_reading.is_listening(admin, service, wanted):
                gaps.append(f"it doesn't listen on {route.listen} as asked")
        except envoy_reading.ListenerRefusedError as exc:
            gaps.append(f"it can't listen on {route.listen}: {exc}")
    active = await envoy_reading.active_clusters(admin, service)
    hosts = await envoy_reading.hosts(admin)
    for pool in pools_in_use(split):
        found = hosts.get(cluster_name(service, pool.name), ())
        others = {host.endpoint for host in found} - set(pool.endpoints)
        if not is_warm(proxy, service, pool, active, hosts) or (others and not needs_dns(pool)):
            gaps.append(f"the members of pool {pool.name} aren't those it was given")
        elif not any(host.healthy for host in found):
            gaps.append(f"pool {pool.name} has no healthy member")
    return gaps


def is_warm(
    proxy: Proxy,
    service: ServiceName,
    pool: Pool,
    active: Mapping[str, str],
    hosts: Mapping[str, Sequence[envoy_reading.Host]],
) -> bool:
    """Return whether Envoy has *pool* as it was given, and has probed each member once."""
    name = cluster_name(service, pool.name)
    if active.get(name) != fingerprint_of(cluster(proxy, service, pool)):
        return False
    if needs_dns(pool):
        return True
    probed = {host.endpoint for host in hosts.get(name, ()) if host.probed}
    return probed >= set(pool.endpoints)


def never_set(written: RouteState) -> AppliedSplit:
    """Return what there is to read of a route without a split; even that may be stopped."""
    return AppliedSplit(
        split=None,
        stopped_at_generation=written.stopped_at_generation,
        ready=False,
        why_not="no split was ever set",
        candidate_trips=0,
    )


def not_followed(written: RouteState, followed: Split) -> str:
    """Return the sentence for a file that Envoy hasn't taken yet, or has refused."""
    generation = written.split.generation if written.split is not None else 0
    return f"generation {generation} was written, but Envoy follows {followed.generation}"


def fingerprint_of(built: Json) -> str:
    """Return the fingerprint that *built*, a cluster or listener of ours, carries."""
    return str(built["metadata"]["filter_metadata"][METADATA]["fingerprint"])


def last_refusal(log: Path) -> str:
    """Return the last reason for a refusal in an Envoy's *log*; Envoy tells it nowhere else."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    refusals = _REFUSAL.findall(text)
    if not refusals:
        return ""
    # What it refused stands before the reason, the innermost of which comes last.
    reason: str = refusals[-1].rpartition("\n: ")[2].rpartition(" | caused by ")[2]
    return reason.strip()[:_LONGEST_REASON]
