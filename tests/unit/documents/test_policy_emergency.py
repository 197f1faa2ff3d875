"""The section `emergency` of a policy: what it means, its defaults, and where it is refused."""

from datetime import date, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tidegate.documents.policy_emergency import (
    WrittenEmergency,
    parse_quorum,
    resolve_protocols,
)
from tidegate.domain.emergency.protocol import ResponsePlan

TODAY = date(2030, 1, 7)
LEAST = {"criteria": "incident.id is known", "authorise": "2 of [ic, team-x]"}


def read(**types: Any) -> Any:
    return TypeAdapter(WrittenEmergency).validate_python(types)


def test_reads_a_protocol_in_full() -> None:
    """Every key has its place in what is decided by."""
    written = read(
        security={
            "version": "7",
            "criteria": "cve.score >= 7",
            "declare": ["team-sre"],
            "authorise": "2 of [incident-commander, team-orders]",
            "bakes": {"divide_by": 6, "floor": "20m"},
            "out_of_band": ["tests", "sarif"],
            "never_skip": ["backup"],
            "expires": "1h",
            "tests": "smoke",
            "approvals": "kept",
            "plan": {
                "id": "ERP-1",
                "version": "3",
                "roles": ["incident-commander", "team-orders"],
                "valid_until": "2030-12-31",
            },
            "debts": {"due": "12h", "owner": "team-sre"},
        }
    )

    (protocol,), complaints = resolve_protocols(written, today=TODAY)

    assert complaints == ()
    assert (protocol.type, protocol.version, protocol.criteria) == (
        "security",
        "7",
        "cve.score >= 7",
    )
    assert (protocol.persons, protocol.authorise) == (2, ("incident-commander", "team-orders"))
    assert (protocol.declare, protocol.tests, protocol.keeps_approvals) == (
        ("team-sre",),
        "smoke",
        True,
    )
    assert (protocol.divide_by, protocol.floor) == (6, timedelta(minutes=20))
    assert (protocol.out_of_band, protocol.never_skip) == (("tests", "sarif"), ("backup",))
    assert (protocol.expires_after, protocol.debt_due) == (timedelta(hours=1), timedelta(hours=12))
    assert protocol.debt_owner == "team-sre"
    assert protocol.plan == ResponsePlan(
        id="ERP-1",
        version="3",
        roles=("incident-commander", "team-orders"),
        valid_until=date(2030, 12, 31),
    )


def test_what_is_not_written_is_careful() -> None:
    """Twelve and ten minutes, four hours, a day; nothing is put off that isn't named."""
    (protocol,), complaints = resolve_protocols(read(outage=LEAST), today=TODAY)

    assert complaints == ()
    assert (protocol.divide_by, protocol.floor) == (12, timedelta(minutes=10))
    assert (protocol.expires_after, protocol.debt_due) == (timedelta(hours=4), timedelta(hours=24))
    assert (protocol.out_of_band, protocol.keeps_approvals, protocol.plan) == ((), False, None)


@pytest.mark.parametrize(
    ("changes", "path", "what"),
    [
        ({"authorise": "1 of [ic]"}, "authorise", "an emergency needs 2"),
        ({"criteria": "a ="}, "criteria", "column 3"),
        ({"out_of_band": ["digest"]}, "out_of_band", "never skipped"),
        ({"bakes": {"floor": "1ms"}}, "bakes", "shorter than 1s"),
        ({"expires": "25h"}, "expires", "at most 24h"),
        ({"debts": {"due": "2d"}}, "debts", "at most 24h"),
        (
            {"plan": {"id": "P", "version": "1", "roles": ["ic"]}},
            "plan",
            "team-x authorises and is no role of P 1",
        ),
        (
            {
                "plan": {
                    "id": "P",
                    "version": "1",
                    "roles": ["ic", "team-x"],
                    "valid_until": "2030-01-06",
                }
            },
            "plan",
            "expired on 2030-01-06",
        ),
    ],
)
def test_what_is_wrong_has_its_place(changes: dict[str, Any], path: str, what: str) -> None:
    """A complaint points at the key and says the fix."""
    _, complaints = resolve_protocols(read(outage={**LEAST, **changes}), today=TODAY)

    assert [complaint.path for complaint in complaints] == [("emergency", "outage", path)]
    assert what in complaints[0].what
    assert complaints[0].fix


@pytest.mark.parametrize(
    "changes",
    [
        {"authorise": "2 of ic"},
        {"authorise": "0 of [ic]"},
        {"authorise": 2},
        {"unknown": 1},
        {"bakes": {"divide_by": 0}},
        {"bakes": {"divide_by": float("inf")}},
        {"expires": 4},
        {"approvals": "none"},
        {"plan": {"id": "P", "version": "1", "roles": []}},
        {"plan": {"id": "P", "version": "1", "roles": ["x"], "valid_until": "2030-02-30"}},
        {"plan": {"id": "P", "version": "1", "roles": ["x"], "valid_until": "tomorrow"}},
    ],
)
def test_what_cannot_be_written(changes: dict[str, Any]) -> None:
    """Unknown keys, numbers without a unit, days that don't exist."""
    with pytest.raises(ValidationError):
        read(outage={**LEAST, **changes})


def test_a_quorum_says_how_many_of_whom() -> None:
    """Spaces don't matter."""
    assert parse_quorum("2 of [ic, team-x]") == (2, ("ic", "team-x"))
    assert parse_quorum("3 of [ic,a.b_c]") == (3, ("ic", "a.b_c"))
