"""Fixed limits: how they are written, in which unit they are compared, and what is refused."""

import pytest

from tidegate.documents.limits import parse_limit, resolve_limit
from tidegate.documents.notation import NotationError
from tidegate.domain.plan.model import Effect, Limit


@pytest.mark.parametrize(
    ("written", "value", "above"),
    [
        ("1s", 1.0, True),
        ("1m30s", 90.0, True),
        ("250ms", 0.25, True),
        ("80%", 0.8, True),
        ("< 80%", 0.8, True),
        ("<80%", 0.8, True),
        ("> 10%", 0.1, False),
        (0.5, 0.5, True),
        (5, 5.0, True),
        ("> 100", 100.0, False),
        ("> -5", -5.0, False),
        ("0", 0.0, True),
    ],
)
def test_a_limit_is_read_in_its_base_unit(written: object, value: float, above: bool) -> None:
    """Durations are seconds, percents are shares, and without a sign the limit is the most."""
    assert parse_limit(written) == (value, above)


@pytest.mark.parametrize("written", ["", "soon", "<= 5", "5pp", "1e3", "nan", True, None, "s", ">"])
def test_what_is_no_limit_is_refused_with_the_way_to_write_one(written: object) -> None:
    """The message shows what was written, the fix how it is done."""
    with pytest.raises(NotationError) as caught:
        parse_limit(written)

    assert "a limit is needed" in caught.value.what
    assert "80%" in caught.value.fix


def test_a_broken_limit_halts_unless_something_else_is_written() -> None:
    """The default is the safe one."""
    assert resolve_limit((1.0, True), None) == Limit(value=1.0, above=True, effect=Effect.HALT)
    assert resolve_limit((1.0, True), "ignore") == Limit(
        value=1.0, above=True, effect=Effect.IGNORE
    )
    assert resolve_limit(None, None) is None
