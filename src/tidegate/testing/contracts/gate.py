"""
The contract of the gate port: what every gate promises whoever relies on its answer.

Subclass it and give it a `driver`, a `green` question that has a green answer, and the questions
`without` something that the gate needs. A gate that keeps it never says green by accident.
"""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from tidegate.domain.gates.model import GateVerdict
from tidegate.errors import InvalidDocumentError
from tidegate.ports.gate import GateDocument, GateDriver, GateQuestion

GARBAGE = (
    b"",
    b"\x00\xff\xfe",
    b"null",
    b"[]",
    b"{}",
    b'"green"',
    b"NaN",
    b"<",
    b"{" * 10_000,
    b'{"verdict": "green", "verdict": "green"}',
)


class GateContract:
    """Tests that hold for every gate. No test may ask which one it's on."""

    @pytest.fixture
    def driver(self) -> GateDriver:
        """Return the gate."""
        raise NotImplementedError

    @pytest.fixture
    def green(self) -> GateQuestion:
        """Return a question to which the answer is green."""
        raise NotImplementedError

    @pytest.fixture
    def without(self) -> tuple[GateQuestion, ...]:
        """Return questions that lack, each, something without which nothing can be told."""
        raise NotImplementedError

    async def test_what_is_good_is_green(self, driver: GateDriver, green: GateQuestion) -> None:
        """With a reason in one line, for a time that isn't over, from documents that were given."""
        answer = await driver.check(green)

        assert answer.verdict is GateVerdict.GREEN, answer.because
        assert answer.because and "\n" not in answer.because
        assert answer.lasts is None or answer.lasts > timedelta(0)
        assert set(answer.documents) <= {document.id for document in green.documents}

    async def test_the_same_question_gets_the_same_answer(
        self, driver: GateDriver, green: GateQuestion
    ) -> None:
        """An auditor who asks again sees what was seen."""
        assert await driver.check(green) == await driver.check(green)

    async def test_what_is_missing_is_never_green(
        self, driver: GateDriver, without: tuple[GateQuestion, ...]
    ) -> None:
        """And it says what is missing."""
        assert without, "a gate that needs nothing is none"
        for question in without:
            answer = await driver.check(question)

            assert answer.verdict is not GateVerdict.GREEN, answer.because
            assert answer.because

    @pytest.mark.parametrize("content", GARBAGE, ids=[repr(one[:12]) for one in GARBAGE])
    async def test_garbage_is_never_green(
        self, driver: GateDriver, green: GateQuestion, content: bytes
    ) -> None:
        """Whatever is submitted in the place of what counts, alone or as the newest."""
        if not green.documents:
            return
        forged = _document(green.documents[-1], content)

        for documents in ((forged,), (*green.documents, forged)):
            answer = await driver.check(replace(green, documents=documents))

            assert answer.verdict is not GateVerdict.GREEN, answer.because

    async def test_what_was_submitted_for_another_change_counts_for_nothing(
        self, driver: GateDriver, green: GateQuestion
    ) -> None:
        """Evidence speaks for the artifacts that it is about, and for no other."""
        if not green.documents:
            return
        other = replace(green.documents[-1], change_digest="sha256:" + "0" * 64)

        answer = await driver.check(replace(green, documents=(other,)))

        assert answer.verdict is not GateVerdict.GREEN, answer.because

    async def test_settings_that_make_no_sense_are_refused(
        self, driver: GateDriver, green: GateQuestion
    ) -> None:
        """A gate that doesn't know what it is asked must not answer something else."""
        for settings in ('{"colour": "green"}', "[]", "nonsense"):
            spec = replace(green.spec, settings_json=settings)

            with pytest.raises(InvalidDocumentError):
                await driver.check(replace(green, spec=spec))


def _document(like: GateDocument, content: bytes) -> GateDocument:
    return replace(
        like,
        id="forged",
        content=content,
        digest=f"sha256:{sha256(content).hexdigest()}",
        submitted_at=like.submitted_at + timedelta(seconds=1),
    )
