"""The page of metrics of the demo shop."""

import math

from tidegate.drivers.signals.exposition import read_page
from tidegate.lab.shop_metrics import CONTENT_TYPE, DURATION_BOUNDS_SECONDS, ShopMetrics


def test_the_page_is_openmetrics_and_true() -> None:
    """A strict reader finds what was counted, also with a version that needs escaping."""
    metrics = ShopMetrics(version='1.0 "b\\eta"\n', started_unix_seconds=1_700_000_000.5)
    for status, seconds in ((200, 0.0079), (200, 0.0081), (500, 99.0)):
        metrics.answered(status, seconds)
    metrics.orders += 1
    metrics.visits["/order"] += 2

    page = read_page(metrics.page(), CONTENT_TYPE)

    requests = {point.labels["code"]: point.value for point in page.points["demo_requests_total"]}
    buckets = {
        float(point.labels["le"]): point.value
        for point in page.points["demo_request_duration_seconds_bucket"]
    }
    assert requests == {"200": 2, "404": 0, "405": 0, "500": 1}
    assert page.points["demo_orders_total"][0].value == 1
    visits = {point.labels["page"]: point.value for point in page.points["demo_visits_total"]}
    assert visits == {"/": 0, "/order": 2}
    assert page.gauges["process_resident_memory_bytes"][0].value > 1_000_000
    assert page.started == 1_700_000_000.5
    assert (buckets[0.008], buckets[0.01], buckets[5.0], buckets[math.inf]) == (1, 2, 2, 3)


def test_nothing_counted_is_zero_and_not_absent() -> None:
    """From its first second a process can be told from one that can't count."""
    page = read_page(ShopMetrics(version="1", started_unix_seconds=1.0).page(), CONTENT_TYPE)

    assert {point.value for point in page.points["demo_requests_total"]} == {0.0}
    assert page.points["demo_request_duration_seconds_count"][0].value == 0


def test_bounds_rise() -> None:
    """The histogram's bounds are in order, as counting by bisection needs."""
    assert list(DURATION_BOUNDS_SECONDS) == sorted(set(DURATION_BOUNDS_SECONDS))
