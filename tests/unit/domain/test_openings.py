"""When a calendar opens: the first instant at which nothing closes it, and none where there is none."""

from datetime import timedelta

import pytest

from tidegate.domain.calendar.freezes import Freeze, FreezeScope, Place, closer, covering
from tidegate.domain.calendar.openings import SEARCHED, Closed, closed_at, opens_at
from tidegate.domain.quantities import Environment, ServiceName, TargetName
from tidegate.testing.builders import START

HOUR = timedelta(hours=1)
SHOP = Place(
    service=ServiceName("shop"),
    target=TargetName("eu"),
    ring="first",
    environment=Environment.STAGING,
)


def a_freeze(begins=0.0, ends=1.0, **changes):
    given = {
        "number": 1,
        "scope": FreezeScope.EVERYTHING,
        "name": "",
        "since": START + begins * HOUR,
        "until": START + ends * HOUR,
        "reason": "sale",
        "by": "alice",
        "at": START,
        "allows_exceptions": False,
    }
    return Freeze(**(given | changes))


def closers(*spans):
    return [closer(a_freeze(begins, ends)) for begins, ends in spans]


@pytest.mark.parametrize(
    ("spans", "opens"),
    [
        ([], 0),
        ([(1, 2)], 0),
        ([(0, 2)], 2),
        ([(-3, 0)], 0),
        ([(0, 2), (2, 5)], 5),
        ([(0, 2), (1, 5), (4, 6)], 6),
        ([(0, 6), (1, 5)], 6),
        ([(0, 2), (3, 5)], 2),
    ],
)
def test_it_opens_at_the_first_instant_that_nothing_closes(spans, opens):
    """Times that touch or overlap are one closed time; a gap between them is an opening."""
    assert opens_at(closers(*spans), START) == START + opens * HOUR


def test_an_end_is_open_and_a_beginning_is_closed():
    """A freeze holds from its first instant until before its last."""
    closing = closers((0, 1))
    just = timedelta(microseconds=1)

    assert not closed_at(closing, START - just)
    assert closed_at(closing, START) and closed_at(closing, START + HOUR - just)
    assert not closed_at(closing, START + HOUR)


def test_what_never_opens_has_no_opening():
    """None says that there is none in sight; an instant would be a promise that isn't kept."""

    def never(_):
        return Closed(because="no day is a working day", until=None)

    def daily(at):
        return Closed(because="other hours", until=at + timedelta(days=1))

    assert opens_at([never, *closers((0, 1))], START) is None
    assert opens_at([daily], START) is None
    assert opens_at(closers((0, SEARCHED / HOUR)), START) == START + SEARCHED
    assert opens_at(closers((0, SEARCHED / HOUR + 1)), START) is None


@pytest.mark.parametrize(
    ("scope", "name", "covered"),
    [
        (FreezeScope.EVERYTHING, "", True),
        (FreezeScope.SERVICE, "shop", True),
        (FreezeScope.SERVICE, "first", False),
        (FreezeScope.RING, "first", True),
        (FreezeScope.RING, "eu", False),
        (FreezeScope.ENVIRONMENT, "staging", True),
        (FreezeScope.ENVIRONMENT, "production", False),
    ],
)
def test_a_freeze_covers_what_it_names_and_no_more(scope, name, covered):
    """A service, a ring and an environment of the same name are three things."""
    freeze = a_freeze(scope=scope, name=name)

    assert covering([freeze], [SHOP], organisation="default") == ((freeze,) if covered else ())


def test_a_freeze_of_a_tenant_is_its_own():
    """Another organisation isn't frozen by it; one of the server's own covers all."""
    own, wide = a_freeze(organisation="acme"), a_freeze(organisation=None)

    assert covering([own, wide], [SHOP], organisation="other") == (wide,)
    assert covering([own, wide], [SHOP], organisation="acme") == (own, wide)


def test_a_lifted_freeze_closes_nothing():
    """Neither the rest of its time nor, looked at again, what has passed of it."""
    lifted = a_freeze(lifted_at=START + HOUR / 2)

    assert not closed_at([closer(lifted)], START)
