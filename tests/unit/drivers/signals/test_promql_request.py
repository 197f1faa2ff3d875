"""The expression that asks Prometheus for one arm's counters."""

import pytest

from tidegate.documents.counters import GAUGE_KINDS, prometheus_counters
from tidegate.documents.gauges import prometheus_gauge
from tidegate.documents.promql import Matcher
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm, ComponentName, Placement, ServiceName, TargetName
from tidegate.drivers.signals.arms import arm_matcher
from tidegate.drivers.signals.promql_request import ArmRequest, arm_requests
from tidegate.ports.component import ArmLabels
from tidegate.ports.signals import SignalQuery

CANDIDATE: ArmLabels = {
    "version": '1.1"',
    "digest": "sha256:b",
    "cluster": "shop-b",
    "members": "10.0.0.2:80, 10.0.0.1:80",
}
BASELINE: ArmLabels = {**CANDIDATE, "version": "1.0", "digest": "sha256:a"}


def requests(
    kind: SignalKind,
    candidate: ArmLabels = CANDIDATE,
    baseline: ArmLabels = BASELINE,
    group_by: tuple[str, ...] = (),
    **settings: str,
) -> dict[Arm, ArmRequest]:
    query = SignalQuery(
        placement=Placement(
            service=ServiceName("shop"), component=ComponentName("code"), target=TargetName("eu-1")
        ),
        signal="any",
        kind=kind,
        source="prometheus://h:9090",
        settings=settings,
        arms={Arm.CANDIDATE: candidate, Arm.BASELINE: baseline},
        component_settings_json="{}",
        target_settings_json="{}",
        group_by=group_by,
    )
    read = prometheus_gauge if kind in GAUGE_KINDS else prometheus_counters
    return arm_requests(query, read(kind, settings))


def matcher_of(settings: dict[str, str], labels: ArmLabels) -> Matcher | None:
    return arm_matcher(settings, labels, default_label="version", instance_label="instance")


def test_asks_for_counters_and_their_time_at_once() -> None:
    """The whole expression for an error ratio, as Prometheus gets it."""
    found = requests(SignalKind.ERRORS)[Arm.CANDIDATE]

    assert found.expression.splitlines() == [
        "label_replace(sum by (job, instance, version) "
        '(http_requests_total{version="1.1\\""}), "tidegate_part", "total", "", "")',
        "or",
        "label_replace(min by (job, instance, version) "
        '(timestamp(http_requests_total{version="1.1\\""})), "tidegate_part", "time", "", "")',
        "or",
        "label_replace(sum by (job, instance, version) "
        '(http_requests_total{code=~"5..",version="1.1\\""}), "tidegate_part", "bad", "", "")',
        "or",
        "label_replace(count by (job, instance, version) "
        '(http_requests_total{version="1.1\\"",code!=""}), "tidegate_part", "telling", "", "")',
    ]
    assert found.expected == {"version": '1.1"'}


def test_no_rate_is_ever_asked_for() -> None:
    """Windows of `rate` overlap from tick to tick, and evidence must not be counted twice."""
    found = requests(SignalKind.USAGE, query="sum(rate(orders_total{$arm}[5m]))")

    assert all("rate(" not in request.expression for request in found.values())


def test_the_target_is_put_in_where_the_author_wants_it() -> None:
    """`$target` becomes a matcher, and an answer about another target isn't believed."""
    found = requests(SignalKind.USAGE, query="orders_total{$target,$arm}", target_label="region")

    assert 'region="eu-1"' in found[Arm.BASELINE].expression
    assert found[Arm.BASELINE].expected == {"version": "1.0", "region": "eu-1"}


@pytest.mark.parametrize(
    ("settings", "matcher"),
    [
        ({}, 'version="1.0"'),
        ({"arm_label": "app_version"}, 'app_version="1.0"'),
        ({"arm_label": "digest"}, 'digest="sha256:a"'),
        (
            {"arm_label": "envoy_cluster_name", "arm_value": "cluster"},
            'envoy_cluster_name="shop-b"',
        ),
        ({"arm_label": "instance"}, 'instance=~"10\\\\.0\\\\.0\\\\.1:80|10\\\\.0\\\\.0\\\\.2:80"'),
    ],
)
def test_an_arm_is_told_by_the_label_that_the_author_names(
    settings: dict[str, str], matcher: str
) -> None:
    """A service says which label of its series holds which of the arm's labels."""
    assert str(matcher_of(settings, BASELINE)) == matcher


@pytest.mark.parametrize("settings", [{}, {"arm_label": "instance"}, {"arm_value": "colour"}])
def test_an_arm_without_the_label_cant_be_told(settings: dict[str, str]) -> None:
    """What the component driver doesn't know isn't asked about."""
    assert matcher_of(settings, {}) is None


def test_an_arm_that_cant_be_told_is_left_out() -> None:
    """The other arm is still asked about."""
    found = requests(SignalKind.ERRORS, baseline={})

    assert list(found) == [Arm.CANDIDATE]


def test_arms_with_the_same_label_ask_nothing() -> None:
    """The same numbers for both arms would look like the proof that nothing is wrong."""
    found = requests(SignalKind.ERRORS, candidate=BASELINE)

    assert found == {}


def test_groups_are_kept_apart_by_the_server() -> None:
    """A line per process and cell, by the labels that were asked for."""
    found = requests(SignalKind.USAGE, group_by=("region", "client"), metric="orders_total")

    assert "sum by (job, instance, version, region, client) (" in found[Arm.CANDIDATE].expression


def test_a_native_histogram_is_asked_for_beside_the_classic_one() -> None:
    """Without a part of its own: Prometheus 2.42 makes a number of a histogram that gets a label."""
    found = requests(SignalKind.LATENCY, metric="took_seconds")[Arm.BASELINE]

    assert found.native
    assert "sum by (job, instance, version, le) (took_seconds_bucket{" in found.expression
    assert '\nor\nsum by (job, instance, version) (took_seconds{version="1.0"})' in found.expression
    assert found.expression.count('"time"') == 2


def test_a_saturation_asks_each_selector_for_its_time() -> None:
    """A quotient is as old as the older of its two parts."""
    query = "sum(used{$arm}) / sum(size{$arm,$target})"
    found = requests(SignalKind.SATURATION, query=query)[Arm.CANDIDATE]

    assert found.expression.splitlines() == [
        'label_replace(sum by (job, instance, version) (used{version="1.1\\""}) / '
        'sum by (job, instance, version) (size{version="1.1\\"",target="eu-1"}), '
        '"tidegate_part", "gauge", "", "")',
        "or",
        'label_replace(min by (job, instance, version) (timestamp(used{version="1.1\\""})), '
        '"tidegate_part", "time", "", "")',
        "or",
        "label_replace(min by (job, instance, version) "
        '(timestamp(size{version="1.1\\"",target="eu-1"})), "tidegate_part", "second_time", "", "")',
    ]
    assert found.times == ("time", "second_time")


def test_a_limit_is_asked_once_and_needs_no_arms() -> None:
    """It is one number of the target, whoever can be told apart."""
    found = requests(SignalKind.LIMIT, candidate={}, baseline={}, query="max(lag{$target})")

    assert list(found) == [Arm.CANDIDATE]
    assert found[Arm.CANDIDATE].expression.splitlines()[0] == (
        'label_replace(max (lag{target="eu-1"}), "tidegate_part", "gauge", "", "")'
    )
