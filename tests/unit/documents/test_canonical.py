"""The canonical text of values, and the digests and hashes made of it."""

import math
from dataclasses import dataclass

import pytest

from tidegate.documents.canonical import MAX_NESTING, canonical_json, digest_of, plan_hash
from tidegate.domain.plan.model import Change, ComponentChange
from tidegate.domain.quantities import ComponentName, Version


@pytest.mark.parametrize(
    ("number", "text"),
    [
        # RFC 8785, appendix B and section 3.2.2.3.
        (333333333.33333329, "333333333.3333333"),
        (1e30, "1e+30"),
        (4.50, "4.5"),
        (2e-3, "0.002"),
        (1e-27, "1e-27"),
        (1e21, "1e+21"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (-0.0, "0"),
        (100.0, "100"),
        (-1.5, "-1.5"),
        (2**53, "9007199254740992"),
    ],
)
def test_numbers_are_written_as_ecmascript_does(number: float, text: str) -> None:
    """Two programs in two languages get the same text for the same number."""
    assert canonical_json(number) == text


def test_keys_are_sorted_by_utf16_code_units() -> None:
    """The order of keys is that of RFC 8785's own example, which differs from code points."""
    value = {
        "\u20ac": 1,
        "\r": 2,
        "\ufb33": 3,
        "1": 4,
        "\U0001f600": 5,
        "\x80": 6,
        "\u00f6": 7,
    }

    text = canonical_json(value)

    assert text == '{"\\r":2,"1":4,"\x80":6,"\u00f6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}'


def test_text_is_escaped_as_little_as_possible() -> None:
    """Only quotes, backslashes and control characters are escaped, the short way where there is one."""
    assert (
        canonical_json('\u20ac$\u000f\nA\'B"\\"/\x7f') == '"\u20ac$\\u000f\\nA\'B\\"\\\\\\"/\x7f"'
    )


def test_plain_values_and_nesting_have_no_spaces() -> None:
    """Lists, tuples and mappings come out compact."""
    assert canonical_json({"b": [1, (True, None)], "a": {}}) == '{"a":{},"b":[1,[true,null]]}'


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 2**53 + 1, 1e20, -(2.0**54), "\ud800"]
)
def test_what_has_no_canonical_text_is_refused(value: object) -> None:
    """A value that another reader could take for something else never gets a digest."""
    with pytest.raises(ValueError, match="canonical"):
        canonical_json([value])


@pytest.mark.parametrize("value", [{1: 2}, b"x", {"a": {1, 2}}])
def test_types_that_json_lacks_are_refused(value: object) -> None:
    """Nothing is converted silently."""
    with pytest.raises(TypeError, match="canonical"):
        canonical_json(value)


def test_endless_nesting_is_refused() -> None:
    """A deep value is refused and doesn't exhaust the stack."""
    value: object = 0
    for _ in range(MAX_NESTING + 1):
        value = [value]

    with pytest.raises(ValueError, match="nested deeper than 100"):
        canonical_json(value)


def test_a_digest_doesn_t_depend_on_the_order_of_keys() -> None:
    """The same document has the same digest, however it was put together."""
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1.0})
    assert digest_of({}) == (
        "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )


@dataclass(frozen=True)
class _Document:
    digest: str


def _change(**versions: str) -> Change:
    return Change(
        components=tuple(
            ComponentChange(
                component=ComponentName(name), to=Version(name=digest[:3], digest=digest)
            )
            for name, digest in versions.items()
        )
    )


def test_a_plan_hash_changes_with_the_document_and_with_each_version() -> None:
    """What was approved is what runs: neither can be exchanged under the same hash."""
    hashes = {
        plan_hash(_Document("sha256:1"), _change(code="aaa", table="bbb")),
        plan_hash(_Document("sha256:2"), _change(code="aaa", table="bbb")),
        plan_hash(_Document("sha256:1"), _change(code="aac", table="bbb")),
        plan_hash(_Document("sha256:1"), _change(code="aaa")),
        plan_hash(_Document("sha256:1"), _change(code="bbb", table="aaa")),
    }

    assert len(hashes) == 5


def test_a_plan_hash_doesn_t_depend_on_the_order_of_components() -> None:
    """`--change a=1 --change b=2` is the same start as the other way round."""
    document = _Document("sha256:1")

    assert plan_hash(document, _change(code="aaa", table="bbb")) == plan_hash(
        document, _change(table="bbb", code="aaa")
    )
