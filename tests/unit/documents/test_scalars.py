"""What plain words of YAML mean, and which are refused."""

import pytest

from tidegate.documents.scalars import Trap, read_plain


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("-12", -12),
        ("8080", 8080),
        ("0.5", 0.5),
        ("1.0", 1.0),
        ("2.5e-3", 0.0025),
        ("1%", "1%"),
        ("0.1pp", "0.1pp"),
        ("1h30m", "1h30m"),
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("eu-1", "eu-1"),
        ("1.2.3", "1.2.3"),
        ("nothing", "nothing"),
        ("control", "control"),
    ],
)
def test_words_that_all_readers_agree_on_are_read(word: str, value: object) -> None:
    """YAML 1.1 and 1.2 read these alike, and so do we."""
    found = read_plain(word)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "word",
    [
        *("no", "No", "off", "yes", "YES", "on", "y", "n", "True", "FALSE", "Null"),
        *("09:00", "22:22", "1:30:00", "1.10", "0.50", "010", "00", "0x1F", "0o17", "0b1"),
        *("1_000", "1_0.5", ".5", "5.", "1e3", "1.5e3", ".inf", "-.Inf", ".nan", "2024-01-31"),
        *("1" * 40, "1.5e+999"),
    ],
)
def test_words_that_readers_disagree_about_are_refused_with_a_fix(word: str) -> None:
    """Nobody gets 1342 for 22:22, False for no, 8 for 010 or 1.1 for 1.10."""
    found = read_plain(word)

    assert isinstance(found, Trap)
    assert "quote it" in found.fix
