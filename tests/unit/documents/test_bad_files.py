"""
A corpus of files that must be refused, each with the very words it is refused with.

The message is what a person gets to see, so it is pinned as a whole: place, what, fix.
"""

from pathlib import Path

import pytest

from tidegate.documents.service_file import read_service
from tidegate.errors import InvalidDocumentError

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
BASE_DIR = Path("/srv")


@pytest.mark.parametrize("path", BAD, ids=[path.stem for path in BAD])
def test_a_bad_file_is_refused_with_place_reason_and_fix(path: Path) -> None:
    """Each problem is told as `file:line:column: what` and the fix."""
    expected = path.with_suffix(".txt").read_text(encoding="utf-8")

    with pytest.raises(InvalidDocumentError) as caught:
        read_service(path.read_text(encoding="utf-8"), file=path.name, base_dir=BASE_DIR)

    assert caught.value.message + "\n" == expected


def test_the_corpus_is_there() -> None:
    """The test above isn't empty, and no expectation is left over."""
    assert len(BAD) > 50
    assert {path.stem for path in BAD} == {
        path.stem for path in (Path(__file__).parent / "bad").glob("*.txt")
    }
