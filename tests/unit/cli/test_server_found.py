"""Which server is talked to, with which token, and what is said when there is none."""

import json
import socket
from pathlib import Path

import pytest
from served_world import TOKEN, Cli, Server

from tidegate.cli.client import actor_name
from tidegate.cli.server_file import find_server, state_dir
from tidegate.errors import NotAllowedError


def test_without_a_server_it_says_how_to_start_one(cli: Cli) -> None:
    """Exit 1, a sentence, a way on; no trace."""
    told = cli("status")

    assert told.code == 1
    assert "no server runs here" in told.err
    assert "tidegate server run" in told.err
    assert told.out == ""


def test_a_server_that_has_gone_is_told(cli: Cli, elsewhere: Path) -> None:
    """An address that nobody listens on any more reads like no server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    state = elsewhere.parent / "state"
    (state / "server.json").write_text(json.dumps({"url": f"http://127.0.0.1:{port}", "pid": 1}))
    (state / "token").write_text(TOKEN)

    told = cli("halt", "shop")

    assert told.code == 1
    assert f"127.0.0.1:{port} is not there" in told.err


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "null"])
def test_a_broken_server_file_is_told(cli: Cli, elsewhere: Path, content: str) -> None:
    """Whatever is in the file, there is a sentence about it."""
    (elsewhere.parent / "state" / "server.json").write_text(content)

    told = cli("status")

    assert told.code == 1
    assert "server.json can't be read" in told.err


def test_a_wrong_token_exits_with_4(cli: Cli, server: Server) -> None:
    """Not being let in has an exit code of its own."""
    told = cli("status", "--token", "wrong")

    assert told.code == 4
    assert "token" in told.err


def test_address_and_token_can_be_given_in_every_way(
    cli: Cli, server: Server, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options and environment work without the files, options first."""
    for name in ("server.json", "token"):
        (elsewhere.parent / "state" / name).unlink()

    by_option = cli("status", "--url", server.url, "--token", TOKEN)
    monkeypatch.setenv("TIDEGATE_URL", server.url)
    monkeypatch.setenv("TIDEGATE_TOKEN", TOKEN)
    by_environment = cli("status")
    option_first = cli("status", "--token", "wrong")

    assert (by_option.code, by_environment.code, option_first.code) == (0, 0, 4)


@pytest.mark.parametrize(
    "url",
    ["http://tidegate.example:7180", "http://127.0.0.1.example", "http://127.0.0.1@evil.example"],
)
def test_the_local_token_is_sent_nowhere_else(elsewhere: Path, url: str) -> None:
    """An address of elsewhere, however it came to be set, gets no token of this machine."""
    (elsewhere.parent / "state" / "token").write_text(TOKEN)

    with pytest.raises(NotAllowedError, match="no token for"):
        find_server(url, None)

    assert find_server(url, "its-own").token == "its-own"


def test_the_state_folder_follows_the_conventions(monkeypatch: pytest.MonkeyPatch) -> None:
    """TIDEGATE_STATE_DIR, then XDG_STATE_HOME, then the folder of the user."""
    monkeypatch.setenv("TIDEGATE_STATE_DIR", "/srv/tidegate")
    monkeypatch.setenv("XDG_STATE_HOME", "/xdg")
    monkeypatch.setenv("HOME", "/home/somebody")

    first = state_dir()
    monkeypatch.delenv("TIDEGATE_STATE_DIR")
    second = state_dir()
    monkeypatch.delenv("XDG_STATE_HOME")
    third = state_dir()

    assert [str(one) for one in (first, second, third)] == [
        "/srv/tidegate",
        "/xdg/tidegate",
        "/home/somebody/.local/state/tidegate",
    ]


def test_a_user_called_like_the_engine_acts_under_another_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No person's command reads as if the engine had decided it; odd names are made plain."""
    names = []
    for user in ("tidegate", "Jörg Müller", "alice"):
        monkeypatch.setenv("LOGNAME", user)
        names.append(actor_name())

    assert names == ["tidegate-user", "J-rg-M-ller", "alice"]


def test_a_thing_that_isnt_tidegate_is_told(cli: Cli, server: Server) -> None:
    """Another program on the port is recognised by its answers."""
    told = cli("status", "--url", f"{server.url}/healthz", "--token", TOKEN)

    assert told.code in (1, 2)
    assert "Traceback" not in told.err


def test_proxies_of_the_environment_are_not_used(
    cli: Cli, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes between this user and this user's server passes nobody else."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    assert cli("status").code == 0


def test_the_page_link_opens_the_pages(cli: Cli, server: Server) -> None:
    """The printed link holds a key that isn't the token."""
    printed = cli("server", "page")

    assert printed.out.startswith(f"{server.url}/?token=")
    assert TOKEN not in printed.out
