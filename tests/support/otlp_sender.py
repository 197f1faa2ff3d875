"""Export requests as OpenTelemetry SDKs make them, in the JSON encoding of OTLP."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

CUMULATIVE, DELTA = 2, 1


def attributes(values: Mapping[str, str]) -> list[Json]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def process(version: str, instance: str, **more: str) -> dict[str, str]:
    """Return the resource of one process of the service shop on the target eu-1."""
    return {
        "service.name": "shop",
        "service.version": version,
        "service.instance.id": instance,
        "deployment.environment.name": "eu-1",
        **{key.replace("__", "."): value for key, value in more.items()},
    }


def request(resource: Mapping[str, str], *metrics: Json) -> Json:
    scope = {"scope": {"name": "shop"}, "metrics": list(metrics)}
    return {
        "resourceMetrics": [
            {"resource": {"attributes": attributes(resource)}, "scopeMetrics": [scope]}
        ]
    }


def point(
    labels: Mapping[str, str], *, at: float | None = None, started: float = 1.7e9, **value: Any
) -> Json:
    return {
        "attributes": attributes(labels),
        "startTimeUnixNano": str(int(started * 1e9)),
        "timeUnixNano": str(int((time.time() if at is None else at) * 1e9)),
        **value,
    }


def counter(name: str, points: Sequence[Json], *, temporality: int = CUMULATIVE) -> Json:
    data = {"dataPoints": points, "aggregationTemporality": temporality, "isMonotonic": True}
    return {"name": name, "sum": data}


def gauge(name: str, points: Sequence[Json]) -> Json:
    return {"name": name, "gauge": {"dataPoints": points}}


def histogram(name: str, points: Sequence[Json], *, unit: str = "s") -> Json:
    data = {"dataPoints": points, "aggregationTemporality": CUMULATIVE}
    return {"name": name, "unit": unit, "histogram": data}


def exponential(name: str, points: Sequence[Json], *, unit: str = "s") -> Json:
    data = {"dataPoints": points, "aggregationTemporality": CUMULATIVE}
    return {"name": name, "unit": unit, "exponentialHistogram": data}
