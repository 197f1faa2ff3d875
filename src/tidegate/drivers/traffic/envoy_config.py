"""
What is written into Envoy's files: pure building of its API's messages (Envoy 1.40, API v3), as
JSON.

Page: https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/api. Each number here that isn't Envoy's
default has its reason beside it. Publishing files, and reading back what Envoy made of them, is
done elsewhere.

How a split becomes routes. The candidate's cluster comes first in the list of weighted clusters,
and Envoy picks by `hash(key) % 10,000`, so the candidate owns the range from zero to its weight: as
the weight grows the range only grows, and no user moves back. Envoy computes that hash before it
would make a cookie of its own, so a client without a key would be sent at random once and by its
cookie from then on. Therefore such a client's key is the request's own id, which is what it is then
given as its cookie. Where the key is a header nobody can be given one: a client without it is sent at random
each time, so whatever stands before Envoy must set it.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tidegate.domain.quantities import FULL_WEIGHT_BPS, ServiceName
from tidegate.drivers.envoy.layout import CLUSTERS_FILE, LISTENERS_FILE, Proxy, cluster_name
from tidegate.drivers.traffic.envoy_state import INTERNAL_ROUTE, METADATA, state_fields
from tidegate.drivers.traffic.fencing import RouteState
from tidegate.errors import TrafficError
from tidegate.ports.traffic import Endpoint, Route, Split

Json = dict[str, Any]

TYPE: Final = "type.googleapis.com/envoy"
_COOKIE_LIFE_S: Final = 30 * 24 * 3600  # longer than a rollout: its bakes take up to 14 days
_RETRIES: Final = 3
_IDLE_S: Final = 60  # as of most proxies: a member that says nothing for so long hangs

# Names of routes; those of EXPOSING are in the log, so that it is empty while nobody is exposed.
_KEYED: Final = "keyed"
_NEW: Final = "new"
_KEYED_SPLIT: Final = "keyed-split"
NEW_SPLIT_ROUTE: Final = "new-split"
_EXPOSING: Final = (INTERNAL_ROUTE, _KEYED_SPLIT, NEW_SPLIT_ROUTE)

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A part of a request: a header or cookie called `name`, with `value` only when equal to it."""

    kind: str
    name: str
    value: str | None = None


def parse_key(text: str, *, with_value: bool) -> Key:
    """
    Return the key that a route's `sticky` (`cookie:NAME`) or `internal` (`header:NAME=VALUE`)
    names.

    Raises:
        TrafficError: *text* isn't of that form.
    """
    kind, _, rest = text.partition(":")
    name, equals, value = rest.partition("=")
    usable = kind in ("cookie", "header") and _HEADER_NAME.fullmatch(name) is not None
    if not usable or bool(equals) is not with_value or (with_value and not value):
        form = "NAME=VALUE" if with_value else "NAME"
        raise TrafficError(
            f"{text!r} doesn't name a header or cookie",
            hint=f"Write it as header:{form} or cookie:{form}.",
        )
    return Key(kind=kind, name=name, value=value if with_value else None)


def route_configuration(route: Route, state: RouteState) -> Json:
    """Return the RouteConfiguration that serves *state*; without a split it has no routes."""
    hosts = [] if state.split is None else [_virtual_host(route, state.split)]
    return {
        "@type": f"{TYPE}.config.route.v3.RouteConfiguration",
        "name": route.service,
        # Without it a route to a cluster that isn't there is taken, and answers 503 for its share.
        "validate_clusters": True,
        "metadata": {"filter_metadata": {METADATA: state_fields(state)}},
        "virtual_hosts": hosts,
    }


def listener(route: Route, proxy: Proxy) -> Json:
    """Return the Listener where users of *route* connect to a managed Envoy."""
    assert proxy.folder is not None, "the user's own Envoy has the user's own listeners"
    sticky = parse_key(route.sticky, with_value=False)
    manager: Json = {
        "@type": f"{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": route.service,
        "rds": {
            "route_config_name": route.service,
            "config_source": source(proxy.config / proxy.routes_file(route.service)),
        },
        "use_remote_address": True,
        "server_header_transformation": "PASS_THROUGH",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        # New users are known by this id from their first request on: it must not change on the way.
        "request_id_extension": {
            "typed_config": {
                "@type": f"{TYPE}.extensions.request_id.uuid.v3.UuidRequestIdConfig",
                "pack_trace_reason": False,
            }
        },
        "access_log": [_access_log(route, proxy.folder / "access.log")],
        "http_filters": [
            {
                "name": "envoy.filters.http.header_to_metadata",
                "typed_config": {
                    "@type": f"{TYPE}.extensions.filters.http.header_to_metadata.v3.Config",
                    "request_rules": [
                        {
                            sticky.kind: sticky.name,
                            "on_header_present": {"metadata_namespace": METADATA, "key": "user"},
                        }
                    ],
                },
            },
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": f"{TYPE}.extensions.filters.http.router.v3.Router",
                    "suppress_envoy_headers": True,
                },
            },
        ],
    }
    return with_fingerprint(
        route.service,
        {
            "@type": f"{TYPE}.config.listener.v3.Listener",
            "name": route.service,
            "address": address(route.listen),
            # Else two Envoys of one user could share a port, each taking a part of the requests.
            "enable_reuse_port": False,
            "filter_chains": [
                {
                    "filters": [
                        {
                            "name": "envoy.filters.network.http_connection_manager",
                            "typed_config": manager,
                        }
                    ]
                }
            ],
        },
    )


def bootstrap(proxy: Proxy) -> Json:
    """Return the bootstrap of a managed Envoy: where its files are, how fresh its statistics."""
    assert proxy.folder is not None, "the user's own Envoy has the user's own bootstrap"
    return {
        "node": {"id": proxy.target, "cluster": "tidegate"},
        # A path relative to the folder it runs in, since the kernel limits a socket's to 108 bytes.
        "admin": {"address": {"pipe": {"path": "admin.sock", "mode": 0o600}}},
        # Histograms refresh only then; the default of 5 s would age every latency signal.
        "stats_flush_interval": "1s",
        "stats_config": {
            "histogram_bucket_settings": [
                {"match": {"suffix": "upstream_rq_time"}, "buckets": list(_time_buckets_ms())}
            ]
        },
        "dynamic_resources": {
            "cds_config": source(proxy.config / CLUSTERS_FILE),
            "lds_config": source(proxy.config / LISTENERS_FILE),
        },
    }


def discovery(resources: Iterable[Json]) -> Json:
    """Return the DiscoveryResponse that a watched file holds; its version names its content."""
    found = list(resources)
    return {"version_info": fingerprint(found), "resources": found}


def fingerprint(content: object) -> str:
    """Return a short name for *content* that differs whenever it does."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def with_fingerprint(service: ServiceName, resource: Json) -> Json:
    """Return *resource* with what names its owner and its content, also in a config dump."""
    marks = {"service": service, "fingerprint": fingerprint(resource)}
    return {**resource, "metadata": {"filter_metadata": {METADATA: marks}}}


def _virtual_host(route: Route, split: Split) -> Json:
    sticky = parse_key(route.sticky, with_value=False)
    splits = split.weight_bps > 0
    action = _split_action(route.service, sticky, split)
    routes: list[Json] = []
    if split.candidate is not None and split.internal_open and route.internal is not None:
        internal = parse_key(route.internal, with_value=True)
        assert internal.value is not None, "parsed as a key with a value"
        routes.append(
            {
                "name": INTERNAL_ROUTE,
                "match": {"prefix": "/", **_matcher(internal, {"exact": internal.value})},
                "route": {
                    "cluster": cluster_name(route.service, split.candidate.name),
                    **_carefully(),
                },
            }
        )
    keyed: Json = {"name": _KEYED_SPLIT if splits else _KEYED, "match": {"prefix": "/"}}
    if sticky.kind == "cookie":
        keyed["match"] |= _matcher(sticky, {"safe_regex": {"regex": ".+"}})
    routes.append({**keyed, "route": action})
    if sticky.kind == "cookie":
        cookie = (
            f"{sticky.name}=%REQ(X-REQUEST-ID)%; Path=/; Max-Age={_COOKIE_LIFE_S};"
            " HttpOnly; SameSite=Lax"
        )
        routes.append(
            {
                "name": NEW_SPLIT_ROUTE if splits else _NEW,
                "match": {"prefix": "/"},
                "route": action,
                "response_headers_to_add": [{"header": {"key": "set-cookie", "value": cookie}}],
            }
        )
    return {"name": route.service, "domains": ["*"], "routes": routes}


def _split_action(service: ServiceName, sticky: Key, split: Split) -> Json:
    weights: list[Json] = []
    if split.candidate is not None and split.weight_bps > 0:
        name = cluster_name(service, split.candidate.name)
        weights.append({"name": name, "weight": split.weight_bps})
    weights.append(
        {
            "name": cluster_name(service, split.baseline.name),
            "weight": FULL_WEIGHT_BPS - split.weight_bps,
        }
    )
    policy: list[Json] = (
        [
            {"cookie": {"name": sticky.name}, "terminal": True},
            {"header": {"header_name": "x-request-id"}},
        ]
        if sticky.kind == "cookie"
        else [{"header": {"header_name": sticky.name}}]
    )
    return {
        "weighted_clusters": {"clusters": weights, "use_hash_policy": True},
        "hash_policy": policy,
        **_carefully(),
    }


def _carefully() -> Json:
    """Return how a request is tried: again only where no member can have seen it."""
    return {
        # Answers may take as long as they like, as long as something comes.
        "timeout": "0s",
        "retry_policy": {
            "retry_on": "connect-failure,refused-stream,reset-before-request",
            "num_retries": _RETRIES,
            "retry_host_predicate": [
                {
                    "name": "envoy.retry_host_predicates.previous_hosts",
                    "typed_config": {
                        "@type": f"{TYPE}.extensions.retry.host.previous_hosts.v3."
                        "PreviousHostsPredicate"
                    },
                }
            ],
            "host_selection_retry_max_attempts": 5,
            # Unlike a route's idle timeout, this one is counted as the cluster's 504.
            "per_try_idle_timeout": f"{_IDLE_S}s",
            "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.050s"},
        },
    }


def _matcher(key: Key, string_match: Json) -> Json:
    return {f"{key.kind}s": [{"name": key.name, "string_match": string_match}]}


def _access_log(route: Route, path: Path) -> Json:
    names = ", ".join(f"'{name}'" for name in _EXPOSING)
    return {
        "name": "envoy.access_loggers.file",
        "filter": {
            "extension_filter": {
                "name": "envoy.access_loggers.extension_filters.cel",
                "typed_config": {
                    "@type": f"{TYPE}.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
                    "expression": f"xds.route_name in [{names}]",
                },
            }
        },
        "typed_config": {
            "@type": f"{TYPE}.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(path),
            "log_format": {
                "json_format": {
                    "time": "%START_TIME%",
                    "service": route.service,
                    "cluster": "%UPSTREAM_CLUSTER_RAW%",
                    "route": "%ROUTE_NAME%",
                    "code": "%RESPONSE_CODE%",
                    "user": f"%DYNAMIC_METADATA({METADATA}:user)%",
                    "request": "%REQ(X-REQUEST-ID)%",
                }
            },
        },
    }


def source(path: Path) -> Json:
    """Return the ConfigSource that is the watched file at *path*."""
    return {"resource_api_version": "V3", "path_config_source": {"path": str(path)}}


def address(endpoint: Endpoint) -> Json:
    """Return the Address of *endpoint*."""
    return {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}}


def _time_buckets_ms() -> Iterable[float]:
    """Give bounds from 0.5 ms to a minute, each 2^(1/4) of the one before, for those who scrape."""
    bound, factor = 0.5, 2**0.25
    while bound < 60_000:
        yield float(f"{bound:.3g}")
        bound *= factor
    yield 60_000.0
