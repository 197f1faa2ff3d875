"""Who asks next, and who stays away."""

import random

from tidegate.lab.load_users import FEW, Users


def users(count: int = 1_000) -> Users:
    return Users(count=count, chance=random.Random(7))


def test_everyone_comes() -> None:
    """Over time each user asks, none more than chance explains."""
    people = users(count=50)

    asked = [people.next() for _ in range(5_000)]

    assert set(asked) == set(range(50))
    assert max(asked.count(user) for user in range(50)) < 200


def test_those_who_met_an_avoided_version_stay_away() -> None:
    """From the moment it is avoided, only people that were served elsewhere come."""
    people = users()
    for user in range(1_000):
        people.met(user, "1.1" if user < 250 else "1.0")

    people.avoid("1.1")
    asked = {people.next() for _ in range(2_000)}

    assert len(asked) == FEW
    assert min(user for user in asked if user is not None) >= 250


def test_a_growing_share_meets_only_a_handful() -> None:
    """People whom a growing share brings to the version meet it once, and never again."""
    people = users()
    for user in range(1_000):
        people.met(user, "1.0")
    people.avoid("1.1")

    hits = 0
    for _ in range(5_000):
        user = people.next()
        assert user is not None
        moved = user % 4 == 0
        hits += moved
        people.met(user, "1.1" if moved else "1.0")

    assert hits <= FEW / 2


def test_before_anyone_is_known_few_find_out() -> None:
    """A version avoided from the beginning is met at most once by each of a few."""
    people = users()
    people.avoid("1.1")

    asked = {people.next() for _ in range(2_000)}

    assert len(asked) == FEW


def test_nobody_is_left_when_the_version_serves_everyone() -> None:
    """Where everyone meets the avoided version, silence is complete."""
    people = users()
    people.avoid("1.1")

    while (user := people.next()) is not None:
        people.met(user, "1.1")

    assert people.next() is None


def test_everyone_comes_again_afterwards() -> None:
    """Ending the silence ends it for all."""
    people = users()
    people.avoid("1.1")
    people.avoid(None)

    asked = {people.next() for _ in range(5_000)}

    assert len(asked) > FEW
    assert None not in asked
