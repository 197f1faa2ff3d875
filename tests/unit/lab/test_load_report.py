"""What the load saw, written down by the second and added up."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tidegate.lab.load_client import LOST, Outcome
from tidegate.lab.load_report import NOTHING, Recorder, recent_lines, report_lines, summarise

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
"""A full minute, so that seconds after it are easy to place."""


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


class Story:
    """Writes a report event by event."""

    def __init__(self) -> None:
        self._recorder = Recorder()

    def answered(
        self,
        seconds: float,
        user: int,
        version: str,
        status: int | None = 200,
        *,
        is_order: bool = False,
    ) -> None:
        moment = at(seconds).timestamp()
        self._recorder.sent(moment)
        outcome = Outcome(status=status, version=version)
        self._recorder.settled(moment, user=user, outcome=outcome, is_order=is_order)

    def lost(self, seconds: float, user: int) -> None:
        moment = at(seconds).timestamp()
        self._recorder.sent(moment)
        self._recorder.settled(moment, user=user, outcome=LOST, is_order=False)

    def unsent(self, seconds: float) -> None:
        self._recorder.unsent(at(seconds).timestamp())

    def lines(self, until_seconds: float = 10_000) -> list[str]:
        return self._recorder.finished_lines(at(until_seconds).timestamp())


def test_requests_are_counted_by_version() -> None:
    """Total, failed, lost and orders per version, and in all."""
    story = Story()
    story.answered(0.1, 1, "1.0", is_order=True)
    story.answered(0.2, 2, "1.1", 500, is_order=True)
    story.answered(1.3, 3, "1.1", 404)
    story.answered(1.4, 4, "1.1", None)
    story.answered(2.5, 5, "", 503)
    story.lost(2.6, 6)
    story.unsent(2.7)

    found = summarise(story.lines(), at(0), at(10))

    assert (found.total, found.failed, found.lost, found.unsent) == (6, 2, 2, 1)
    candidate = found.version("1.1")
    assert (candidate.total, candidate.failed, candidate.lost, candidate.orders) == (3, 1, 1, 0)
    assert found.version("1.0").orders == 1
    assert (found.version("").total, found.version("").failed) == (2, 1)


def test_the_first_harm_and_the_last_answer_are_exact() -> None:
    """Times come from the requests themselves and not from the seconds they are written under."""
    story = Story()
    story.answered(0.1, 1, "1.1")
    story.answered(3.25, 1, "1.1", 500)
    story.answered(3.75, 1, "1.1", 500)
    story.answered(7.5, 1, "1.1")
    story.answered(8.5, 1, "1.0")
    story.lost(9.5, 1)

    found = summarise(story.lines(), at(0), at(10)).version("1.1")

    assert found.first_failed_at == at(3.25)
    assert found.last_response_at == at(7.5)


def test_a_user_is_counted_once_a_minute() -> None:
    """User-minutes are people in minutes, not requests: one who asks 60 times in a minute is one."""
    story = Story()
    for second in range(0, 120, 2):
        story.answered(second, 1, "1.0")
    story.answered(30, 2, "1.1")
    story.answered(90, 1, "1.1")

    found = summarise(story.lines(), at(0), at(120))

    assert found.user_minutes == 3
    assert found.version("1.0").user_minutes == 2
    assert found.version("1.1").user_minutes == 2
    assert found.exposed_share("1.1") == pytest.approx(2 / 3)


def test_only_the_span_counts() -> None:
    """Whole seconds, the first included and the one at the end not."""
    story = Story()
    for second in range(10):
        story.answered(second + 0.5, second, "1.0")

    found = summarise(story.lines(), at(2), at(5))

    assert found.total == 3


def test_the_edges_are_rounded_outward() -> None:
    """A span that begins and ends within a second loses nothing of it."""
    story = Story()
    for second in range(10):
        story.answered(second + 0.5, second, "1.0")

    found = summarise(story.lines(), at(2.9), at(5.1))

    assert found.total == 4


def test_nothing_happened_is_nothing() -> None:
    """An empty span has no share and no first harm."""
    found = summarise([], at(0), at(1))

    assert found.total == 0
    assert found.exposed_share("1.1") == 0.0
    assert found.version("1.1") == NOTHING


@pytest.mark.parametrize("line", ["{", "{}", "[]", '{"second": 1}'])
def test_refuses_what_isnt_a_report(line: str) -> None:
    """A damaged report is told, not counted as nothing."""
    with pytest.raises(ValueError, match=r".+"):
        summarise([line], at(0), at(10))


def test_refuses_a_span_that_ends_before_it_begins() -> None:
    """Swapped times are a mistake of the caller."""
    with pytest.raises(ValueError, match="since must be before until"):
        summarise([], at(5), at(5))


def test_a_second_is_written_once_it_is_over() -> None:
    """A line never changes after it was written."""
    story = Story()
    story.answered(0.5, 1, "1.0")
    story.answered(1.5, 1, "1.0")

    early = story.lines(until_seconds=1.9)
    late = story.lines(until_seconds=2.1)

    assert [json.loads(line)["second"] for line in early] == [NOON.timestamp()]
    assert [json.loads(line)["second"] for line in late] == [NOON.timestamp() + 1]


def test_a_line_that_is_being_written_isnt_read(tmp_path: Path) -> None:
    """Who reads the report while the load runs sees whole lines only."""
    path = tmp_path / "report.jsonl"
    path.write_text('{"second": 1}\n{"sec')

    assert report_lines(path) == ['{"second": 1}']


def test_the_end_of_a_long_report_is_read_in_whole_lines(tmp_path: Path) -> None:
    """Neither the rest of the first line nor the beginning of the next one is taken for a line."""
    report = tmp_path / "load.jsonl"
    report.write_text("".join(f"line {number}\n" for number in range(100)) + "line unfin")

    last = recent_lines(report, at_most_bytes=40)

    assert last == ["line 97", "line 98", "line 99"]
    assert len(recent_lines(report, at_most_bytes=10_000)) == 100
    assert recent_lines(tmp_path / "none", at_most_bytes=10) == []
