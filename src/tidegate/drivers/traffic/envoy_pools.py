"""
Pools as Envoy knows them: a cluster each, and a file with its members.

Building is pure; `publish_pools` writes the files. Every number that isn't Envoy's default has its
reason beside it. Pages:
https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/cluster/v3/cluster.proto and the outlier
detection, circuit breaker and health check pages beside it.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from tidegate.domain.quantities import ServiceName
from tidegate.drivers.envoy.layout import CLUSTERS_FILE, Proxy, cluster_name
from tidegate.drivers.traffic.envoy_config import TYPE, address, source, with_fingerprint
from tidegate.drivers.traffic.envoy_files import EnvoyFiles
from tidegate.drivers.traffic.fencing import pools_of
from tidegate.ports.traffic import Endpoint, Pool, Split

Json = dict[str, Any]

_IN_FLIGHT: Final = 4096  # per pool; four times Envoy's default, for long polling and websockets
_MEMBER_IDLE_S: Final = 1  # below the keep-alive of common servers (gunicorn 2 s, uvicorn 5 s)
_CONNECT_WITHIN_S: Final = 2
_PROBE_EVERY_S: Final = 2


def publish_pools(
    files: EnvoyFiles, proxy: Proxy, service: ServiceName, *splits: Split | None
) -> None:
    """
    Let the pools of *service* be those of *splits*, beside other services'.

    A pool that several have gets the members of all: while routes change from one to the other,
    nothing that either may send to is missing.
    """
    pools: dict[str, Pool] = {}
    for split in splits:
        for pool in pools_of(split) if split is not None else ():
            known = pools.get(pool.name, pool)
            endpoints = dict.fromkeys((*known.endpoints, *pool.endpoints))
            pools[pool.name] = replace(known, endpoints=tuple(endpoints))
    listed = {
        proxy.members_file(service, pool.name): pool
        for pool in pools.values()
        if not needs_dns(pool)
    }
    for name, pool in listed.items():
        files.publish_if_other(name, [members(service, pool)])
    clusters = [cluster(proxy, service, pool) for pool in pools.values()]
    files.replace_resources_of(CLUSTERS_FILE, service, clusters)
    for name in files.names(proxy.members_file(service, "*")):
        if name not in listed:
            files.remove(name)


def approve_pools(files: EnvoyFiles, proxy: Proxy, service: ServiceName) -> None:
    """Keep the files of *service*'s pools as the last ones that Envoy took."""
    for name in (CLUSTERS_FILE, *files.names(proxy.members_file(service, "*"))):
        files.approve(name)


def cluster(proxy: Proxy, service: ServiceName, pool: Pool) -> Json:
    """
    Return the Cluster of *pool*: the same for both arms, so that they can be swapped.

    Members come from a file of their own. A cluster whose own text changes is replaced whole by
    Envoy, which counts its answers from zero again and forgets who was ejected.
    """
    name = cluster_name(service, pool.name)
    built: Json = {
        "@type": f"{TYPE}.config.cluster.v3.Cluster",
        "name": name,
        "connect_timeout": f"{_CONNECT_WITHIN_S}s",
        "lb_policy": "LEAST_REQUEST",
        # One that was taken out must get nothing more, though it may still answer probes.
        "ignore_health_on_host_removal": True,
        # Ejected and failed members are used again only when no other is left.
        "common_lb_config": {"healthy_panic_threshold": {"value": 1}},
        "health_checks": [
            {
                "timeout": f"{_CONNECT_WITHIN_S}s",
                "interval": f"{_PROBE_EVERY_S}s",
                # Default 60 s: a pool without traffic would look healthy for that long.
                "no_traffic_interval": f"{_PROBE_EVERY_S}s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                # Connect only: whether answers are good is what the evidence is for.
                "tcp_health_check": {},
                "reuse_connection": False,
            }
        ],
        "outlier_detection": {
            "split_external_local_origin_errors": True,
            "consecutive_5xx": 10,
            "consecutive_local_origin_failure": 5,
            "interval": "1s",
            "base_ejection_time": "5s",
            "max_ejection_time": "30s",
            # At least half of the members stay, whatever they answer.
            "max_ejection_percent": 50,
        },
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": _IN_FLIGHT,
                    "max_pending_requests": _IN_FLIGHT,
                    "max_requests": _IN_FLIGHT,
                    # Only what never reached a member is tried again: no storm can come of it.
                    "max_retries": _IN_FLIGHT,
                }
            ]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http_protocol_options": {}},
                # We must close an idle connection before the member does: a request on its way
                # while the member closes is lost, and can't safely be sent twice.
                "common_http_protocol_options": {"idle_timeout": f"{_MEMBER_IDLE_S}s"},
            }
        },
    }
    if needs_dns(pool):
        built |= {"type": "STRICT_DNS", "load_assignment": _load_assignment(name, pool.endpoints)}
    else:
        listed_in = source(proxy.config / proxy.members_file(service, pool.name))
        built |= {"type": "EDS", "eds_cluster_config": {"eds_config": listed_in}}
    return with_fingerprint(service, built)


def members(service: ServiceName, pool: Pool) -> Json:
    """Return the ClusterLoadAssignment of *pool*."""
    assignment = _load_assignment(cluster_name(service, pool.name), pool.endpoints)
    return {"@type": f"{TYPE}.config.endpoint.v3.ClusterLoadAssignment", **assignment}


def needs_dns(pool: Pool) -> bool:
    """Return whether a member of *pool* is given by name, so that Envoy must resolve it."""
    return not all(map(_is_address, pool.endpoints))


def _load_assignment(name: str, endpoints: Iterable[Endpoint]) -> Json:
    listed = [_endpoint(member) for member in endpoints]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": listed}] if listed else []}


def _endpoint(member: Endpoint) -> Mapping[str, Json]:
    return {"endpoint": {"address": address(member)}}


def _is_address(endpoint: Endpoint) -> bool:
    try:
        ipaddress.ip_address(endpoint.host)
    except ValueError:
        return False
    return True
