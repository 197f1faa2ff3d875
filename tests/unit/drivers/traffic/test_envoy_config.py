"""What is built for Envoy can be read back from it, and only that."""

import copy
import json
from typing import Any

import pytest

from tidegate.domain.quantities import Generation, ServiceName, TargetName
from tidegate.drivers.traffic.envoy_config import Key, fingerprint, parse_key, route_configuration
from tidegate.drivers.traffic.envoy_state import ForeignRoutesError, read_state
from tidegate.drivers.traffic.fencing import RouteState
from tidegate.errors import TrafficError
from tidegate.ports.traffic import Endpoint, Pool, Route, Split

ROUTE = Route(
    service=ServiceName("shop"),
    target=TargetName("eu"),
    listen=Endpoint(host="127.0.0.1", port=8080),
    sticky="cookie:tg",
    internal="header:x-internal=1",
    target_settings_json="{}",
)


def a_pool(name: str) -> Pool:
    endpoints = (Endpoint(host="127.0.0.1", port=9000), Endpoint(host="shop.local", port=9001))
    return Pool(name=name, version=f"1-{name}", digest=f"sha256:{name}", endpoints=endpoints)


def a_state(**changes: Any) -> RouteState:
    fields: dict[str, Any] = {
        "generation": Generation(2**60 + 1),
        "baseline": a_pool("a"),
        "candidate": a_pool("b"),
        "weight_bps": 1234,
        "internal_open": True,
        "warm": (a_pool("c"), a_pool("d")),
    }
    return RouteState(split=Split(**fields | changes), stopped_at_generation=None)


@pytest.mark.parametrize(
    "state",
    [
        RouteState(),
        RouteState(stopped_at_generation=Generation(9)),
        a_state(),
        a_state(weight_bps=0, internal_open=False),
        a_state(weight_bps=10_000),
        a_state(candidate=None, weight_bps=0, internal_open=False, warm=()),
        RouteState(split=a_state(weight_bps=0).split, stopped_at_generation=Generation(2**60 + 17)),
    ],
)
@pytest.mark.parametrize("sticky", ["cookie:tg", "header:x-user"])
def test_a_state_comes_back_as_it_was(state: RouteState, sticky: str) -> None:
    """Through Envoy's text nothing of a split is lost, not even the last digit of a generation."""
    route = Route(**{name: getattr(ROUTE, name) for name in ROUTE.__slots__} | {"sticky": sticky})

    built = json.loads(json.dumps(route_configuration(route, state)))

    assert read_state(route.service, built) == state


@pytest.mark.parametrize(
    "change",
    [
        lambda routes: routes["metadata"].clear(),
        lambda routes: routes["virtual_hosts"].clear(),
        lambda routes: weights(routes)[0].update(weight=9_999),
        lambda routes: weights(routes)[0].update(name="shop/z"),
        lambda routes: fields(routes).update(internal_open=False),
        lambda routes: fields(routes).update(generation="x"),
        lambda routes: fields(routes).update(baseline="z"),
    ],
)
def test_routes_that_somebody_changed_are_foreign(change: Any) -> None:
    """Routes that don't serve what their metadata says are never taken for ours."""
    built = copy.deepcopy(route_configuration(ROUTE, a_state()))

    change(built)

    with pytest.raises(ForeignRoutesError):
        read_state(ROUTE.service, built)


def test_the_candidates_range_comes_first() -> None:
    """Envoy walks the list from zero: only the first cluster's range grows without moving."""
    built = route_configuration(ROUTE, a_state())

    assert [(entry["name"], entry["weight"]) for entry in weights(built)] == [
        ("shop/b", 1234),
        ("shop/a", 8766),
    ]


@pytest.mark.parametrize(
    ("text", "with_value", "key"),
    [
        ("cookie:tg", False, Key(kind="cookie", name="tg")),
        ("header:X-User", False, Key(kind="header", name="X-User")),
        ("header:x-internal=a=b", True, Key(kind="header", name="x-internal", value="a=b")),
    ],
)
def test_keys_are_read(text: str, with_value: bool, key: Key) -> None:
    """A header or cookie, and where asked for the value it must have."""
    assert parse_key(text, with_value=with_value) == key


@pytest.mark.parametrize(
    ("text", "with_value"),
    [("tg", False), ("cookie:tg=1", False), ("header:x", True), ("header:x=", True), (":x", False)],
)
def test_what_is_no_key_is_told(text: str, with_value: bool) -> None:
    """The error quotes what was written and shows the form."""
    with pytest.raises(TrafficError, match="doesn't name a header or cookie") as caught:
        parse_key(text, with_value=with_value)

    assert "header:NAME" in caught.value.hint


def test_a_fingerprint_follows_content_not_order() -> None:
    """Equal content has an equal fingerprint, and any other content another."""
    assert fingerprint({"a": 1, "b": [2]}) == fingerprint({"b": [2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def weights(built: dict[str, Any]) -> list[dict[str, Any]]:
    routes = built["virtual_hosts"][0]["routes"]
    found: list[dict[str, Any]] = next(
        route["route"]["weighted_clusters"]["clusters"]
        for route in routes
        if "weighted_clusters" in route["route"]
    )
    return found


def fields(built: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = built["metadata"]["filter_metadata"]["tidegate"]
    return found
