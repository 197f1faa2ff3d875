"""The command line in an empty folder, and a server that it finds."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from served_world import TOKEN, Cli, Result, Server

from tidegate.cli.app import run
from tidegate.testing.memory_world import DOCUMENT


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder that is the present one, with nothing of this machine's user in reach."""
    for name in ("URL", "TOKEN", "SERVICE", "LISTEN_HOST", "LISTEN_PORT"):
        monkeypatch.delenv(f"TIDEGATE_{name}", raising=False)
    state = tmp_path / "state"
    state.mkdir()
    monkeypatch.setenv("TIDEGATE_STATE_DIR", str(state))
    monkeypatch.setenv("NO_COLOR", "1")
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def cli(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Return a function that calls the command line and gives its exit code and outputs."""

    def call(*arguments: str) -> Result:
        capsys.readouterr()
        code = run(arguments)
        captured = capsys.readouterr()
        return Result(code=code, out=captured.out, err=captured.err)

    return call


@pytest.fixture
def server(elsewhere: Path) -> Iterator[Server]:
    """Return a server that has left its address and token where the command line looks."""
    running = Server()
    running.start()
    state = elsewhere.parent / "state"
    (state / "server.json").write_text(json.dumps({"url": running.url, "pid": 1}))
    (state / "token").write_text(f"{TOKEN}\n")
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def shop(elsewhere: Path) -> Path:
    """Return the shop's tidegate.yaml, in the present folder."""
    path = elsewhere / "tidegate.yaml"
    path.write_text(DOCUMENT)
    return path
