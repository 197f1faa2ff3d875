"""The expression that asks Prometheus for one arm's counters."""

import pytest

from tidegate.documents.counters import prometheus_counters
from tidegate.domain.plan.model import SignalKind
from tidegate.domain.quantities import Arm, ComponentName, Placement, ServiceName, TargetName
from tidegate.drivers.signals.promql_request import ArmRequest, arm_matcher, arm_requests
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
    )
    return arm_requests(query, prometheus_counters(kind, settings))


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
    assert str(arm_matcher(settings, BASELINE)) == matcher


@pytest.mark.parametrize("settings", [{}, {"arm_label": "instance"}, {"arm_value": "colour"}])
def test_an_arm_without_the_label_cant_be_told(settings: dict[str, str]) -> None:
    """What the component driver doesn't know isn't asked about."""
    assert arm_matcher(settings, {}) is None


def test_an_arm_that_cant_be_told_is_left_out() -> None:
    """The other arm is still asked about."""
    found = requests(SignalKind.ERRORS, baseline={})

    assert list(found) == [Arm.CANDIDATE]


def test_arms_with_the_same_label_ask_nothing() -> None:
    """The same numbers for both arms would look like the proof that nothing is wrong."""
    found = requests(SignalKind.ERRORS, candidate=BASELINE)

    assert found == {}
