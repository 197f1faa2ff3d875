"""
What an Envoy says it follows: the meaning of its admin interface's answers, for one service.

Only reads. What to do about it is decided in `envoy`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tidegate.domain.quantities import ServiceName
from tidegate.drivers.envoy.admin import EnvoyAdmin
from tidegate.drivers.envoy.layout import cluster_name
from tidegate.drivers.traffic.envoy_state import METADATA, read_state
from tidegate.drivers.traffic.fencing import RouteState
from tidegate.ports.traffic import Endpoint, Pool

Json = Mapping[str, Any]

_UNHEALTHY_FLAGS: Final = (
    "failed_active_health_check",
    "failed_outlier_check",
    "pending_dynamic_removal",
    "pending_active_hc",
)


class ListenerRefusedError(Exception):
    """Envoy can't listen where it was told to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """The routes that Envoy follows; `version` is that of the file they came from."""

    version: str
    state: RouteState


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A member as Envoy sees it: whether it would get requests, and whether it was probed yet."""

    endpoint: Endpoint
    healthy: bool
    probed: bool


async def followed_routes(admin: EnvoyAdmin, service: ServiceName) -> Followed | None:
    """
    Return the routes of *service* that Envoy follows, or None when it follows none.

    Raises:
        ForeignRoutesError: they aren't ours.
    """
    for entry in await admin.config("dynamic_route_configs", re.escape(service)):
        configuration = entry.get("route_config")
        if configuration is not None:
            return Followed(
                version=entry.get("version_info", ""), state=read_state(service, configuration)
            )
    return None


async def is_live(admin: EnvoyAdmin) -> bool:
    """Return whether Envoy has read all of its files and serves."""
    return (await admin.get("/server_info", {})).get("state") == "LIVE"


async def refused_routes(admin: EnvoyAdmin, service: ServiceName) -> int:
    """Return how many files of routes for *service* Envoy has refused since it was started."""
    pattern = rf"\.rds\.{re.escape(service)}\.update_(rejected|failure)$"
    return sum((await admin.counts(pattern)).values())


async def refused_pools(admin: EnvoyAdmin, service: ServiceName) -> int:
    """Return how many files of clusters or members Envoy has refused since it was started."""
    scopes = rf"(cluster_manager\.cds|cluster\.{re.escape(service)}/[^/]+)"
    pattern = rf"^{scopes}\.update_(rejected|failure)$"
    return sum((await admin.counts(pattern)).values())


async def active_clusters(admin: EnvoyAdmin, service: ServiceName) -> dict[str, str]:
    """Return the clusters of *service* that Envoy has warmed, each with its fingerprint."""
    entries = await admin.config("dynamic_active_clusters", f"{re.escape(service)}/.*")
    return {
        entry["cluster"]["name"]: _fingerprint(entry["cluster"])
        for entry in entries
        if "cluster" in entry
    }


async def is_listening(admin: EnvoyAdmin, service: ServiceName, fingerprint: str) -> bool:
    """
    Return whether Envoy listens for *service* as the listener with *fingerprint* says.

    Raises:
        ListenerRefusedError: it can't, for a reason of its own.
    """
    for entry in await admin.config("dynamic_listeners", re.escape(service)):
        error = entry.get("error_state", {})
        if _fingerprint(error.get("failed_configuration", {})) == fingerprint:
            raise ListenerRefusedError(str(error.get("details", "")))
        if _fingerprint(entry.get("active_state", {}).get("listener", {})) == fingerprint:
            return True
    return False


async def hosts(admin: EnvoyAdmin) -> dict[str, tuple[Host, ...]]:
    """Return the members of every cluster, by the cluster's name."""
    found = await admin.get("/clusters", {"format": "json"})
    return {
        status["name"]: tuple(map(_host, status.get("host_statuses", ())))
        for status in found.get("cluster_statuses", ())
    }


async def trips(admin: EnvoyAdmin, service: ServiceName, pool: Pool | None) -> int:
    """Return how often Envoy has ejected a member of *pool* or refused it a request."""
    if pool is None:
        return 0
    cluster = re.escape(cluster_name(service, pool.name))
    counters = (
        r"outlier_detection\.ejections_enforced_total",
        "upstream_rq_pending_overflow",
        "upstream_rq_active_overflow",
    )
    return sum((await admin.counts(rf"^cluster\.{cluster}\.({'|'.join(counters)})$")).values())


def _host(status: Json) -> Host:
    health = status.get("health_status", {})
    address = status["address"].get("socket_address", {})
    return Host(
        endpoint=Endpoint(host=address.get("address", ""), port=address.get("port_value", 0)),
        healthy=health.get("eds_health_status") in (None, "HEALTHY", "UNKNOWN")
        and not any(health.get(flag) for flag in _UNHEALTHY_FLAGS),
        probed=not health.get("pending_active_hc", False),
    )


def _fingerprint(resource: Json) -> str:
    marks = resource.get("metadata", {}).get("filter_metadata", {}).get(METADATA, {})
    return str(marks.get("fingerprint", ""))
