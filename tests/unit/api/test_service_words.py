"""Where a version is, in words: as much as was seen, and no more."""

from datetime import timedelta

import pytest

from tidegate.api.pages.service_words import cut, length_words, out_state, out_words
from tidegate.testing.builders import a_placement
from tidegate.usecases.served import Reach, Whereabouts


def at(target: str, reach: Reach, bps: int | None = 0, component: str = "code") -> Whereabouts:
    place = a_placement(target=target, component=component)
    return Whereabouts(placement=place, reach=reach, share_bps=bps)


EU = at("eu", Reach.EVERYONE, 10_000)
US = at("us", Reach.SOME, 500)
AP = at("ap", Reach.NOBODY)
LOST = at("lost", Reach.UNKNOWN, None)
STAFF = at("staff", Reach.INTERNAL)


@pytest.mark.parametrize(
    ("found", "words", "state"),
    [
        ([EU], "serves everyone at its one target", "yes"),
        ([EU, at("us", Reach.EVERYONE)], "serves everyone at all 2 targets", "yes"),
        ([AP], "serves nobody at its one target", "no"),
        ([EU, AP], "serves everyone at 1 of 2 (eu); serves nobody at ap", "partly"),
        ([US, LOST], "serves 5% at us; unknown at lost", "partly"),
        ([LOST, AP], "unknown at lost; serves nobody at ap", "unknown"),
        ([STAFF], "internal users only at staff", "partly"),
        ([], "this service has no target that could serve it", "no"),
    ],
)
def test_each_target_is_told_as_it_was_seen(
    found: list[Whereabouts], words: str, state: str
) -> None:
    """Where one target is unknown, the version isn't everywhere, and isn't nowhere either."""
    assert out_words(found) == words
    assert out_state(found) == state


def test_components_are_told_apart_where_there_are_several() -> None:
    """The share of one component isn't that of another."""
    found = [US, at("us", Reach.SOME, 2_500, component="config")]

    assert out_words(found) == "serves 5% at code on us, 25% at config on us"


def test_a_long_list_is_cut_and_says_so() -> None:
    """Forty targets aren't forty names."""
    found = [EU, *(at(f"t-{number}", Reach.NOBODY) for number in range(6))]

    assert out_words(found).endswith("serves nobody at t-0, t-1, t-2, t-3 and 2 more")


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=42), "42 s"),
        (timedelta(minutes=12), "12 min"),
        (timedelta(hours=3, minutes=5), "3 h 5 min"),
        (timedelta(days=2.5), "2.5 days"),
    ],
)
def test_lengths_are_said_as_people_compare_them(length: timedelta, words: str) -> None:
    """In the unit that tells them apart."""
    assert length_words(length) == words


def test_what_is_cut_off_is_told() -> None:
    """And what fits is left alone."""
    assert (cut("shop-db", 7), cut("shop-db-1", 7)) == ("shop-db", "shop-d…")
