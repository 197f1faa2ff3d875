"""Durations, shares, tolerances and addresses as they are written."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tidegate.documents.notation import (
    NotationError,
    parse_address,
    parse_any_share,
    parse_approval,
    parse_duration,
    parse_points,
    parse_relative,
    parse_share,
    parse_tolerance,
)
from tidegate.domain.durations import format_duration
from tidegate.domain.plan.model import Tolerance, ToleranceUnit


@pytest.mark.parametrize(
    ("written", "duration", "again"),
    [
        ("30s", timedelta(seconds=30), "30s"),
        ("90m", timedelta(minutes=90), "1h30m"),
        ("36h", timedelta(hours=36), "36h"),
        ("1d", timedelta(days=1), "24h"),
        ("2w", timedelta(days=14), "14d"),
        ("250ms", timedelta(milliseconds=250), "250ms"),
        ("1d12h30m", timedelta(hours=36, minutes=30), "36h30m"),
        ("0s", timedelta(0), "0s"),
    ],
)
def test_durations_are_read_and_written(written: str, duration: timedelta, again: str) -> None:
    """What is shown can be written back into the file."""
    assert parse_duration(written) == duration
    assert format_duration(duration) == again
    assert parse_duration(again) == duration


@pytest.mark.parametrize(
    ("written", "weight_bps"), [("5%", 500), ("0.25%", 25), ("100%", 10_000), ("0.01%", 1)]
)
def test_shares_are_basis_points(written: str, weight_bps: int) -> None:
    """Shares add up exactly."""
    assert parse_share(written) == weight_bps


def test_only_the_resolved_document_has_a_share_of_zero() -> None:
    """Nobody writes 0%, but an internal phase is that."""
    assert parse_any_share("0%") == 0


def test_tolerances_carry_their_unit() -> None:
    """Points are a share of requests, percent a share of the baseline."""
    assert parse_points("0.1pp") == Tolerance(value=0.001, unit=ToleranceUnit.RATE)
    assert parse_relative("20%") == Tolerance(value=0.2, unit=ToleranceUnit.RELATIVE)
    assert parse_tolerance("5pp") == Tolerance(value=0.05, unit=ToleranceUnit.RATE)
    assert parse_tolerance("3%") == Tolerance(value=0.03, unit=ToleranceUnit.RELATIVE)


def test_approvals_and_addresses_are_read() -> None:
    """The usual forms work."""
    assert parse_approval("2 of team-release") == (2, "team-release")
    assert parse_address("[::1]:8080") == "[::1]:8080"


@pytest.mark.parametrize(
    ("parse", "written"),
    [
        *((parse_duration, bad) for bad in (5, 1.5, True, None, "", "5", "1h1h", "1m1h", "-1s")),
        *((parse_duration, bad) for bad in ("1.5h", " 1h", "1h ", "1H", "367d", "9999999999s", [])),
        *((parse_share, bad) for bad in (5, "5", "0%", "100.01%", "1.234%", "-1%", "5 %", None)),
        *((parse_points, bad) for bad in ("0pp", "101pp", "5%", "0.1", 0.1, "1e3pp", "٣pp")),
        *((parse_relative, bad) for bad in ("0%", "1001%", "1pp", 10, "10")),
        *((parse_tolerance, bad) for bad in (0.1, "0.1", "pp", None)),
        *((parse_approval, bad) for bad in ("team", "0 of team", "1 of", "1 of a b", 1)),
        *((parse_address, bad) for bad in ("8080", "a:0", "a:65536", ":80", "a b:80", 80)),
    ],
)
def test_anything_else_is_refused_with_the_way_to_write_it(
    parse: Callable[[object], object], written: object
) -> None:
    """A bare number or a wrong unit is never guessed at."""
    with pytest.raises(NotationError) as caught:
        parse(written)

    assert caught.value.fix
