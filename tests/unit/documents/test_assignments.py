"""`NAME=VALUE` as people write it: what is taken, and what is refused in words."""

from collections.abc import Sequence

import pytest

from tidegate.documents.assignments import facts_of, versions_of
from tidegate.errors import InvalidRequestError


def test_numbers_and_truth_are_told_from_text() -> None:
    """What looks like a number is one, unless it is quoted; spaces around don't count."""
    written = ["cve.score = 9.8", "exploited=true", "severity=sev1", 'build="7"', "left=-3"]

    assert facts_of(written, called="a fact") == {
        "cve.score": 9.8,
        "exploited": True,
        "severity": "sev1",
        "build": "7",
        "left": -3.0,
    }


def test_a_version_keeps_its_digest() -> None:
    """Only the first equals sign divides."""
    written = ["code=1.2.3@sha256:ab", "tax=a=b"]

    assert versions_of(written, called="--change") == {"code": "1.2.3@sha256:ab", "tax": "a=b"}


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (["severity"], "a fact must be NAME=VALUE, got 'severity'"),
        (["=x"], "a fact must be NAME=VALUE"),
        (["x="], "a fact must be NAME=VALUE"),
        (["x=1", "x=2"], "a fact names x twice"),
    ],
)
def test_what_is_no_fact_is_refused(written: Sequence[str], says: str) -> None:
    """With what was written, and never the last of two."""
    with pytest.raises(InvalidRequestError, match=says):
        facts_of(written, called="a fact")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (["1.2.3"], "--change must be COMPONENT=VERSION, got '1.2.3'"),
        (["code="], "--change must be COMPONENT=VERSION"),
        (["code=1", " code =2"], "--change names code twice"),
    ],
)
def test_what_is_no_version_is_refused(written: Sequence[str], says: str) -> None:
    """With the option's own name."""
    with pytest.raises(InvalidRequestError, match=says):
        versions_of(written, called="--change")
