"""Real git repositories for tests, made commit by commit, with fixed dates."""

import os
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

from tidegate.testing.builders import START


class Repository:
    """A repository with a working tree. Each commit is an hour after the last, unless told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._now = START - timedelta(days=3)
        path.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def git(
        self, *arguments: str, by: str = "alice@example.com", at: datetime | None = None
    ) -> str:
        """Run git in the repository as *by* and return what it says."""
        name = by.partition("@")[0]
        date = (at or self._now).isoformat()
        done = subprocess.run(
            ["git", "-c", "commit.gpgSign=false", "-c", "tag.gpgSign=false", *arguments],
            cwd=self.path,
            check=True,
            capture_output=True,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.path),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_AUTHOR_NAME": name,
                "GIT_AUTHOR_EMAIL": by,
                "GIT_AUTHOR_DATE": date,
                "GIT_COMMITTER_NAME": name,
                "GIT_COMMITTER_EMAIL": by,
                "GIT_COMMITTER_DATE": date,
            },
        )
        return done.stdout.strip()

    def commit(
        self,
        file: str,
        *trailers: str,
        content: str = "",
        by: str = "alice@example.com",
        at: datetime | None = None,
    ) -> str:
        """Commit a change to *file* with *trailers* in the message, and return the commit's id."""
        self._now += timedelta(hours=1)
        place = self.path / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content or f"{file} at {self._now.isoformat()}\n", encoding="utf-8")
        self.git("add", "-A")
        message = f"Change {file}\n\n" + "\n".join(trailers)
        self.git("commit", "-q", "-m", message, by=by, at=at)
        return self.head()

    def head(self) -> str:
        """Return the id of the commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    def switch(self, branch: str, *, start: str = "") -> None:
        """Check *branch* out; make it at *start* first, when given."""
        self.git("checkout", "-q", *(["-b", branch, start] if start else [branch]))

    def merge(
        self, branch: str, *trailers: str, by: str = "alice@example.com", at: datetime | None = None
    ) -> str:
        """Merge *branch* with a commit of its own, and return that one's id."""
        self._now += timedelta(hours=1)
        message = f"Merge {branch}\n\n" + "\n".join(trailers)
        self.git("merge", "-q", "--no-ff", "-m", message, branch, by=by, at=at)
        return self.head()
