"""
How a route's state is kept inside its RouteConfiguration, and read from it again.

The weight and the internal route are read from the routes that Envoy follows. The metadata beside
them holds what routes can't say: generation, latched stop, which pool has which role, what it
serves. Pure; who asks Envoy or a file is not known here.
"""

from collections.abc import Mapping
from typing import Any, Final

from tidegate.domain.quantities import FULL_WEIGHT_BPS, Generation, ServiceName
from tidegate.drivers.envoy.layout import cluster_name
from tidegate.drivers.traffic.fencing import RouteState, pools_of
from tidegate.ports.traffic import Endpoint, Pool, Split

METADATA: Final = "tidegate"
INTERNAL_ROUTE: Final = "internal"

Json = Mapping[str, Any]


class ForeignRoutesError(Exception):
    """A RouteConfiguration wasn't written by us, or someone changed it."""


def state_fields(state: RouteState) -> dict[str, Any]:
    """
    Return *state* as metadata. Whole numbers are text: Envoy would make them floating point.

    The weight isn't in it: it stands in the routes, once.
    """
    stopped_at = state.stopped_at_generation
    fields: dict[str, Any] = {
        "stopped_at_generation": "" if stopped_at is None else str(stopped_at),
    }
    split = state.split
    if split is not None:
        fields |= {
            "generation": str(split.generation),
            "baseline": split.baseline.name,
            "candidate": split.candidate.name if split.candidate is not None else "",
            "internal_open": split.internal_open,
            "pools": [_pool_fields(pool) for pool in pools_of(split)],
        }
    return fields


def read_state(service: ServiceName, configuration: Json) -> RouteState:
    """
    Return the state that *configuration*, a RouteConfiguration from a file or a dump, holds.

    Raises:
        ForeignRoutesError: it isn't ours, or its routes don't serve what its metadata says.
    """
    try:
        fields = configuration["metadata"]["filter_metadata"][METADATA]
        stopped = fields["stopped_at_generation"]
        stopped_at = Generation(int(stopped)) if stopped else None
        if "generation" not in fields:
            return RouteState(stopped_at_generation=stopped_at)
        routes = configuration["virtual_hosts"][0]["routes"]
        split = _read_split(service, fields, routes)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as exc:
        raise ForeignRoutesError(f"the routes of {service} aren't ours: {exc!r}") from exc
    return RouteState(split=split, stopped_at_generation=stopped_at)


def owner_of(resource: Json) -> str | None:
    """Return the service that a cluster or listener was built for; None for one that isn't ours."""
    marks = resource.get("metadata", {}).get("filter_metadata", {}).get(METADATA, {})
    owner = marks.get("service")
    return None if owner is None else str(owner)


def _read_split(service: ServiceName, fields: Json, routes: list[Json]) -> Split:
    pools = {entry["name"]: _read_pool(entry) for entry in fields["pools"]}
    baseline, candidate = fields["baseline"], fields["candidate"]
    weights: dict[str, int] = {}
    for route in routes:
        if "weighted_clusters" in route["route"]:
            entries = route["route"]["weighted_clusters"]["clusters"]
            found = {entry["name"]: int(entry["weight"]) for entry in entries}
            if weights not in ({}, found):
                raise ForeignRoutesError(f"the routes of {service} split in different ways")
            weights = found
    if any(route["name"] == INTERNAL_ROUTE for route in routes) and not fields["internal_open"]:
        raise ForeignRoutesError(f"the routes of {service} were opened to internal users")
    ours = {cluster_name(service, name) for name in (baseline, candidate) if name}
    if not weights or weights.keys() - ours or sum(weights.values()) != FULL_WEIGHT_BPS:
        raise ForeignRoutesError(f"the routes of {service} were changed: {weights}")
    return Split(
        generation=Generation(int(fields["generation"])),
        baseline=pools.pop(baseline),
        candidate=pools.pop(candidate) if candidate else None,
        weight_bps=weights.get(cluster_name(service, candidate), 0) if candidate else 0,
        internal_open=bool(fields["internal_open"]),
        warm=tuple(pools.values()),
    )


def _pool_fields(pool: Pool) -> dict[str, Any]:
    return {
        "name": pool.name,
        "version": pool.version,
        "digest": pool.digest,
        "endpoints": [{"host": member.host, "port": str(member.port)} for member in pool.endpoints],
    }


def _read_pool(fields: Json) -> Pool:
    return Pool(
        name=fields["name"],
        version=fields["version"],
        digest=fields["digest"],
        endpoints=tuple(
            Endpoint(host=member["host"], port=int(member["port"]))
            for member in fields["endpoints"]
        ),
    )
