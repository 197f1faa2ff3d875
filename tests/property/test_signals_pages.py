"""Pages of metrics that chance has damaged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.drivers.signals.exposition import read_page

PAGE = b"""\
# HELP a_b Things.
# TYPE a counter
a_total{code="200",x="y\\"z"} 90 # {trace_id="abc"} 1.0 2.0
# TYPE d_seconds histogram
# UNIT d_seconds seconds
d_seconds_bucket{le="0.1"} 80
d_seconds_bucket{le="+Inf"} 100
d_seconds_count 100
d_seconds_sum 12.5
# TYPE n histogram
n {count:24,sum:100,schema:0,zero_threshold:0.001,zero_count:4,positive_spans:[0:2],positive_deltas:[2,1]}
# TYPE v info
v_info{version="1"} 1
# EOF
"""

damage = st.tuples(
    st.integers(0, len(PAGE)),
    st.integers(0, 20),
    st.text('{}"\\#, \n=_a0.+-InfNaN:[]\xff', max_size=4),
)


@given(
    damages=st.lists(damage, min_size=1, max_size=5),
    content_type=st.sampled_from(["application/openmetrics-text", "text/plain"]),
)
def test_a_damaged_page_is_read_or_refused(
    damages: list[tuple[int, int, str]], content_type: str
) -> None:
    """Whatever a member shows, reading it ends in a page or in ValueError, never in anything else."""
    page = PAGE
    for place, length, inserted in damages:
        page = page[:place] + inserted.encode("latin-1") + page[place + length :]

    try:
        found = read_page(page, content_type)
    except ValueError:
        return

    assert found.declared >= {name for name in found.points if name.endswith("_total")}


def test_the_undamaged_page_is_read() -> None:
    """The ground of the test above; a native histogram on the page does no harm."""
    found = read_page(PAGE, "application/openmetrics-text")

    assert [point.value for point in found.points["a_total"]] == [90.0]


def test_a_truncated_page_is_refused() -> None:
    """However short the cut, no number that lost a digit is ever read."""
    for length in range(len(PAGE) - 1):
        with pytest.raises(ValueError, match=r".*"):
            read_page(PAGE[:length], "application/openmetrics-text")
