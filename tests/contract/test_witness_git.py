"""The witness in a git repository keeps the promises of all; heads are commits, and are pushed."""

import subprocess
from pathlib import Path

import pytest

from tidegate.drivers.witness.git import GitWitness
from tidegate.errors import WitnessError
from tidegate.testing.contracts.witness import WitnessContract, some_heads


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


class TestGitWitness(WitnessContract):
    """See the contract."""

    @pytest.fixture
    def witness(self, tmp_path: Path) -> GitWitness:
        return GitWitness(tmp_path / "heads")

    @pytest.fixture
    def again(self, witness: GitWitness, tmp_path: Path) -> GitWitness:
        return GitWitness(tmp_path / "heads")

    async def test_each_head_is_a_commit(self, witness: GitWitness, tmp_path: Path) -> None:
        """Also of heads that are told at once."""
        await witness.keep(some_heads(2))
        await witness.keep(some_heads(3))

        subjects = git(tmp_path / "heads", "log", "--format=%s").splitlines()

        assert subjects == [f"Head {n} of the ledger: {n}0 entries" for n in (3, 2, 1)]
        assert git(tmp_path / "heads", "status", "--porcelain") == ""

    async def test_what_was_written_and_not_committed_is_committed(
        self, witness: GitWitness, tmp_path: Path
    ) -> None:
        """The server was killed between the two."""
        await witness.keep(some_heads(1))
        git(tmp_path / "heads", "update-ref", "-d", "HEAD")

        await witness.keep(some_heads(1))

        assert git(tmp_path / "heads", "status", "--porcelain") == ""

    async def test_heads_are_pushed_and_another_history_is_refused_there(
        self, tmp_path: Path
    ) -> None:
        """A repository elsewhere takes what follows, and nothing else; nobody forces it."""
        git(tmp_path, "init", "--quiet", "--bare", "elsewhere.git")
        for name in ("ours", "theirs"):
            git(tmp_path, "init", "--quiet", name)
            git(tmp_path / name, "remote", "add", "origin", str(tmp_path / "elsewhere.git"))

        await GitWitness(tmp_path / "ours").keep(some_heads(2))
        with pytest.raises(WitnessError, match="git push"):
            await GitWitness(tmp_path / "theirs").keep(some_heads(1))
        await GitWitness(tmp_path / "ours").keep(some_heads(3))

        count = git(tmp_path / "elsewhere.git", "rev-list", "--count", "--all")
        assert count.strip() == "3"

    async def test_a_remote_that_is_away_is_told_later(self, tmp_path: Path) -> None:
        """The commit is made; the push is tried again with the next head."""
        git(tmp_path, "init", "--quiet", "ours")
        git(tmp_path / "ours", "remote", "add", "origin", str(tmp_path / "gone.git"))
        witness = GitWitness(tmp_path / "ours")

        with pytest.raises(WitnessError, match="git push"):
            await witness.keep(some_heads(1))
        git(tmp_path, "init", "--quiet", "--bare", "gone.git")
        await witness.keep(some_heads(1))

        assert git(tmp_path / "gone.git", "rev-list", "--count", "--all").strip() == "1"
