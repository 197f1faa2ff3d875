"""What a call of the command line loads. A list of modules, not a time: it is the same on every machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from tidegate.cli.app import app
from tidegate.cli.commands import OVERVIEW, load
from tidegate.store.open import open_store

ENGINE = (
    *("tidegate.usecases", "tidegate.store", "tidegate.drivers", "tidegate.main", "tidegate.lab"),
    *("tidegate.stats", "tidegate.documents.service_file"),
    *("alembic", "fastapi", "jinja2", "jsonschema", "numpy", "sqlalchemy", "starlette", "uvicorn"),
    *("anyio", "asyncio", "cryptography", "holidays", "httpx", "prometheus_client", "structlog"),
)
"""The server's, and none of it is needed to talk to one."""

FOR_FEW = ("markdown_it", "pygments", "rich.live", "rich.progress", "ruamel")
"""What draws and writes in ways that weren't asked for."""

ANY_COMMAND = ("pydantic", "rich", "tidegate.api", "tidegate.domain", "tidegate.documents")
"""What commands need, and whoever only asks which there are doesn't."""

PROGRAM = """
import sys
from tidegate.cli.app import run
run(sys.argv[1:])
sys.stdout.flush()
print(*sorted(sys.modules), file=open(sys.argv[0] + ".loaded", "w"))
"""


def loaded_by(folder: Path, *arguments: str) -> set[str]:
    """Return the modules that a call loads, in a process of its own that finds no server."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    env = {**os.environ, "TIDEGATE_STATE_DIR": str(folder / "state"), "TIDEGATE_URL": ""}
    subprocess.run([sys.executable, str(program), *arguments], check=True, env=env)
    return set(Path(f"{program}.loaded").read_text().split())


def among(loaded: set[str], *packages: str) -> list[str]:
    """Return those of *packages* of which something is loaded."""
    return [one for one in packages if any(f"{name}.".startswith(f"{one}.") for name in loaded)]


@pytest.mark.parametrize(
    "arguments",
    [
        ["halt", "--help"],
        ["halt", "shop"],
        ["status"],
        ["why", "shop"],
        ["stop", "list"],
        ["resume", "shop"],
        ["rollback", "shop", "--yes"],
    ],
    ids=" ".join,
)
def test_what_is_called_in_a_hurry_loads_nothing_of_the_engine(
    arguments: list[str], tmp_path: Path
) -> None:
    """Whoever halts on a full machine waits for no solver, no database and no web server to load."""
    loaded = loaded_by(tmp_path, *arguments)

    assert "tidegate.cli.session" in loaded
    assert among(loaded, *ENGINE, *FOR_FEW) == []


def test_a_server_that_is_started_again_loads_nothing_that_it_had_once(tmp_path: Path) -> None:
    """Its schema is there: whoever waits for it after a crash waits for no migration to load."""
    url = f"sqlite:///{tmp_path}/store.db"
    open_store(url).close()
    program = "import sys, tidegate.main.serving; from tidegate.store.open import open_store"
    program += f"; open_store({url!r}).close(); print(*sys.modules)"

    again = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)

    assert among(set(again.stdout.decode().split()), "alembic", "joserfc", "tidegate.lab") == []


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]], ids=" ".join)
def test_the_overview_loads_no_command(arguments: list[str], tmp_path: Path) -> None:
    """Which commands there are is told from a table."""
    loaded = loaded_by(tmp_path, *arguments)

    assert among(loaded, *ENGINE, *FOR_FEW, *ANY_COMMAND) == []
    assert [name for name in OVERVIEW if f"tidegate.cli.{name}" in loaded] == ["completion"]


@pytest.mark.parametrize("name", OVERVIEW)
def test_the_overview_says_of_a_command_what_it_says_itself(name: str) -> None:
    """The table holds the first paragraph of each command's help."""
    told = (load(name).help or "").split("\n\n")[0]

    assert OVERVIEW[name] == " ".join(told.split())


def test_a_call_finds_every_command_of_the_overview_and_no_other() -> None:
    """What is listed can be called, under its name."""
    root = typer.main.get_command(app)
    context = typer.Context(root, info_name="tidegate")

    assert root.list_commands(context) == list(OVERVIEW)
    for name in OVERVIEW:
        found, command, rest = root.resolve_command(context, [name, "more"])
        assert (found, command.name, rest) == (name, name, ["more"])
