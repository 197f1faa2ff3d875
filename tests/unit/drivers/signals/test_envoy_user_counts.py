"""People counted once per interval, as sums that only grow."""

from datetime import UTC, datetime, timedelta

from tidegate.drivers.signals.envoy_user_counts import ON_DISK_AFTER, PeopleCounts, UserCounts

BEGIN = datetime(2026, 1, 1, 12, 0, 3, tzinfo=UTC)
TEN_SECONDS = timedelta(seconds=10)


def after(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def begun() -> UserCounts:
    counts = UserCounts(TEN_SECONDS)
    counts.begin(BEGIN)
    return counts


def sums(counts: UserCounts) -> tuple[int, int]:
    found = counts.of(["shop/b"])
    assert found is not None
    return found.by_cluster["shop/b"]


def test_someones_retries_count_once() -> None:
    """The worked example: one person fails five times, another succeeds once: two met, one failed."""
    counts = begun()
    for second in range(5):
        counts.met("shop/b", b"ada", after(second), failed=True)
    counts.met("shop/b", b"bob", after(1), failed=False)

    counts.close(after(7) + ON_DISK_AFTER)

    assert sums(counts) == (2, 1)


def test_someone_who_fails_once_and_then_succeeds_was_failed() -> None:
    """Success doesn't take trouble back."""
    counts = begun()
    counts.met("shop/b", b"ada", after(0), failed=True)
    counts.met("shop/b", b"ada", after(1), failed=False)

    counts.close(after(20))

    assert sums(counts) == (1, 1)


def test_each_interval_counts_anew() -> None:
    """Somebody who has trouble for a minute is counted in each interval of it."""
    counts = begun()
    for second in range(0, 60, 2):
        counts.met("shop/b", b"ada", after(second), failed=True)

    counts.close(after(100))

    assert sums(counts) == (7, 7)


def test_an_interval_closes_once_its_lines_are_on_disk() -> None:
    """Intervals lie at fixed times of the clock, whoever asks and however often."""
    counts = begun()
    counts.met("shop/b", b"ada", after(1), failed=True)

    counts.close(after(7))
    early = counts.of(["shop/b"])
    counts.close(after(7) + ON_DISK_AFTER)
    late = counts.of(["shop/b"])

    life = f"{BEGIN.timestamp():.3f}"
    assert early == PeopleCounts(at=BEGIN, life=life, by_cluster={"shop/b": (0, 0)})
    assert late == PeopleCounts(at=after(7), life=life, by_cluster={"shop/b": (1, 1)})


def test_a_late_line_counts_in_the_oldest_open_interval() -> None:
    """An answer that took a minute isn't lost, and no sum that was told before changes."""
    counts = begun()
    counts.close(after(40))
    told = sums(counts)

    counts.met("shop/b", b"ada", after(5), failed=True)
    unchanged = sums(counts)
    counts.close(after(60))

    assert told == unchanged == (0, 0)
    assert sums(counts) == (1, 1)


def test_sums_dont_depend_on_how_often_is_asked() -> None:
    """Two readers at different times see the same sums: asking isn't an event."""
    often, seldom = begun(), begun()
    for second in range(50):
        for counts in (often, seldom):
            counts.met("shop/b", str(second % 7).encode(), after(second), failed=second % 3 == 0)
        often.close(after(second))

    often.close(after(70))
    seldom.close(after(70))

    assert sums(often) == sums(seldom)


def test_a_lost_log_begins_a_new_life() -> None:
    """What happened while nothing was logged is nobody's: the sums go on under another name."""
    counts = begun()
    counts.met("shop/b", b"ada", after(1), failed=True)
    counts.close(after(20))
    before = counts.of(["shop/b"])

    counts.lose()
    lost = counts.of(["shop/b"])
    counts.begin(after(30))
    counts.met("shop/b", b"bob", after(15), failed=True)
    counts.met("shop/b", b"eve", after(31), failed=True)
    counts.close(after(60))
    again = counts.of(["shop/b"])

    assert before is not None
    assert lost is None
    assert again is not None
    assert again.life != before.life
    assert again.by_cluster == {"shop/b": (1, 1)}


def test_forgotten_people_count_no_more() -> None:
    """When a rollout is over, its people are dropped."""
    counts = begun()
    counts.met("shop/b", b"ada", after(1), failed=True)
    counts.close(after(20))
    counts.met("shop/b", b"bob", after(21), failed=True)

    counts.forget("shop/b")
    counts.close(after(60))

    assert sums(counts) == (0, 0)


def test_a_line_of_the_moment_of_beginning_counts() -> None:
    """The log's times are cut to milliseconds, so they may look a little earlier than they are."""
    counts = UserCounts(TEN_SECONDS)
    counts.begin(BEGIN + timedelta(microseconds=944_700))

    counts.met("shop/b", b"ada", BEGIN + timedelta(microseconds=944_000), failed=True)
    counts.close(after(20))

    assert sums(counts) == (1, 1)
