"""The reference of the command line, the API and the errors says what the code does."""

from pathlib import Path

import pytest

from tidegate import errors
from tidegate.cli.exit_codes import MEANINGS
from tidegate.cli.reference import errors_page, pages
from tidegate.errors import TidegateError

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, TidegateError)
]


@pytest.mark.parametrize("name", sorted(pages()))
def test_page_is_fresh(name: str) -> None:
    """The page equals what the code makes. Write it: python -m tidegate.cli.reference docs/reference."""
    published = (REFERENCE / name).read_text(encoding="utf-8")

    assert published == pages()[name]


def test_every_code_is_unique_and_documented() -> None:
    """No two classes of errors share a code, and each is told on the page."""
    codes = [kind.code for kind in KINDS]

    assert len(codes) == len(set(codes))
    for kind in KINDS:
        assert f"| `{kind.code}` | `{kind.__name__}` |" in errors_page()


def test_every_error_has_a_known_exit_code_and_a_sentence() -> None:
    """Each error ends the command line with a documented code, and says in a line what it means."""
    for kind in KINDS:
        assert kind.exit_code in MEANINGS, kind
        assert kind.http_status in range(400, 600), kind
        assert kind.__doc__, kind
