"""The ledger on the command line: found, handed out, verified with and without a server."""

from dataclasses import replace
from pathlib import Path

import pytest
from served_world import Cli, Server

from tidegate.documents.ledger.heads import head_text
from tidegate.drivers.signer.file import FileSigner
from tidegate.drivers.witness.memory import MemoryWitness
from tidegate.testing.contracts.witness import some_heads
from tidegate.usecases.ledger_heads import sign_head
from tidegate.usecases.ledger_witness import tell_witness


@pytest.fixture
def signing(server: Server, tmp_path: Path) -> Server:
    """Return a server with a key for its ledger, where a rollout is baking."""
    outside = replace(server.world.outside, signer=FileSigner(tmp_path / "key"))
    state = server._app.state
    state.server = replace(state.server, outside=outside)
    server.world.outside = outside
    server.baking()
    return server


def public_key(cli: Cli) -> str:
    return cli("ledger", "key", "-o", "name").out.strip()


def test_a_dump_is_verified_without_a_server(cli: Cli, signing: Server) -> None:
    """By the key that was written down; a changed word is named with its entry."""
    assert cli("ledger", "export", "--to", "ledger.jsonl").code == 0
    key = public_key(cli)
    signing.stop()

    holds = cli("ledger", "verify", "ledger.jsonl", "--key", key)
    path = Path("ledger.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"actor":"alice"', b'"actor":"bobby"', 1))
    broken = cli("ledger", "verify", "ledger.jsonl", "--key", key, "-o", "json")

    assert holds.code == 0, holds.err
    assert "HOLDS" in holds.out
    assert "no witness was asked" in holds.out
    assert broken.code == 1
    assert broken.json()["holds"] is False
    assert broken.json()["findings"][0]["wrong"] == "altered"


def test_without_a_file_the_server_is_asked(cli: Cli, signing: Server) -> None:
    """And says that it named its key itself."""
    told = cli("ledger", "verify")

    assert told.code == 0, told.err
    assert "by a key that the dump itself names" in told.out


def test_a_witness_that_knows_more_is_believed(cli: Cli, signing: Server) -> None:
    """The dump fits itself, and is still not the whole ledger."""
    cli("ledger", "export", "--to", "old.jsonl")
    cli("halt", "--all")
    outside = signing.world.outside
    assert outside.signer is not None
    head = sign_head(outside, outside.signer)
    assert head is not None
    Path("witness.jsonl").write_text(f"{head_text(head)}\n")
    Path("key").write_text(f"{public_key(cli)}\n")

    old = cli("ledger", "verify", "old.jsonl", "--key", "key", "--witness", "witness.jsonl")
    new = cli("ledger", "verify", "--key", "key", "--witness", "witness.jsonl")

    assert old.code == 1
    assert "witness.jsonl, line 1" in old.out
    assert "truncated" in old.out
    assert new.code == 0, new.out
    assert "1 heads of witnesses agree" in new.out


def test_entries_are_found_and_shown(cli: Cli, signing: Server) -> None:
    """As lines with how to go on, or as rows for a program."""
    cli("halt", "--all", "--reason", "INC-431")

    one = cli("ledger", "query", "--rule", "give-stop-order", "--since", "2000-01-01")
    few = cli("ledger", "query", "--limit", "1")
    nothing = cli("ledger", "query", "--service", "nothing")
    heads = cli("ledger", "heads")

    assert "give-stop-order" in one.out
    assert len(one.out.splitlines()) == 2
    assert "older ones: add --before" in few.out
    assert nothing.out == "no entries\n"
    assert heads.code == 0


def test_witnesses_are_shown_and_another_history_is_an_error(cli: Cli, signing: Server) -> None:
    """Nobody, one that has all, and one that was shown something else."""
    nobody = cli("ledger", "witness")
    kept = MemoryWitness("kept")
    other = MemoryWitness("other")
    signing.do(other.keep(some_heads(1)))
    outside = replace(signing.world.outside, witnesses=(kept, other))
    state = signing._app.state
    state.server = replace(state.server, outside=outside)
    assert outside.signer is not None
    sign_head(outside, outside.signer)
    for witness in (kept, other):
        signing.do(tell_witness(outside, witness))

    told = cli("ledger", "witness")

    assert (nobody.code, told.code) == (0, 1)
    assert "no witness" in nobody.out
    assert "has all" in told.out
    assert "KNOWS ANOTHER HISTORY" in told.out


def test_rows_are_exported(cli: Cli, signing: Server) -> None:
    """To standard output, to be read by something else."""
    rows = cli("ledger", "export", "-o", "csv", "--service", "shop")

    assert rows.code == 0
    assert rows.out.startswith("number,at_utc,actor,")
    assert len(rows.out.splitlines()) > 5


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "-o", "dump", "--service", "shop"),
        ("export", "-o", "xml"),
        ("query", "--since", "yesterday"),
        ("verify", "nothing.jsonl"),
        ("verify", "--key", "abc"),
        ("export", "--to", "no/folder/here"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    cli: Cli, signing: Server, arguments: tuple[str, ...]
) -> None:
    """With the exit code of wrong usage, and nothing on standard output."""
    told = cli("ledger", *arguments)

    assert (told.code, told.out) == (2, "")
