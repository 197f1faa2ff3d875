"""The witness in a folder keeps the promises of all, and survives what happens to files."""

from pathlib import Path

import pytest

from tidegate.documents.ledger.heads import head_text
from tidegate.drivers.witness.file import FileWitness
from tidegate.errors import WitnessError
from tidegate.testing.contracts.witness import WitnessContract, some_heads


class TestFileWitness(WitnessContract):
    """See the contract."""

    @pytest.fixture
    def witness(self, tmp_path: Path) -> FileWitness:
        return FileWitness(tmp_path / "heads")

    @pytest.fixture
    def again(self, witness: FileWitness, tmp_path: Path) -> FileWitness:
        return FileWitness(tmp_path / "heads")

    async def test_its_file_is_what_verify_takes(
        self, witness: FileWitness, tmp_path: Path
    ) -> None:
        """One canonical line per head."""
        heads = some_heads(2)
        await witness.keep(heads)

        lines = (tmp_path / "heads" / "heads.jsonl").read_text().splitlines()

        assert lines == [head_text(head) for head in heads]

    @pytest.mark.parametrize("torn", [b"{", b'{"at":"2030', b"x" * 300])
    async def test_a_line_without_its_end_is_written_again(
        self, witness: FileWitness, tmp_path: Path, torn: bytes
    ) -> None:
        """The server was killed while it wrote; nobody was told that this head is kept."""
        heads = some_heads(3)
        await witness.keep(heads[:2])
        path = tmp_path / "heads" / "heads.jsonl"
        path.write_bytes(path.read_bytes() + torn)

        await witness.keep(heads)

        assert path.read_text().splitlines() == [head_text(head) for head in heads]

    async def test_a_broken_file_is_told_and_left_alone(
        self, witness: FileWitness, tmp_path: Path
    ) -> None:
        """What a witness has is never repaired by who it watches."""
        await witness.keep(some_heads(1))
        path = tmp_path / "heads" / "heads.jsonl"
        broken = path.read_bytes() + b"not a head\n"
        path.write_bytes(broken)

        with pytest.raises(WitnessError, match="no head"):
            await witness.keep(some_heads(2))

        assert path.read_bytes() == broken

    async def test_a_folder_that_cannot_be_made_is_a_failure(self, tmp_path: Path) -> None:
        """It may be there again later."""
        (tmp_path / "file").touch()

        with pytest.raises(WitnessError, match="can't be told"):
            await FileWitness(tmp_path / "file" / "heads").keep(some_heads(1))
