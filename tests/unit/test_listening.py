"""Where the server listens, and under which names it answers."""

import pytest

from tidegate.errors import InvalidRequestError
from tidegate.main.listening import hosts_of, listen
from tidegate.settings import Settings

OTHER = "127.0.0.2"
"""An address that isn't one of the listed loopback names, and reaches no network all the same."""


def test_claimed_names_stay_on_loopback() -> None:
    """Where one token opens everything, nobody else's machine can send one."""
    with pytest.raises(InvalidRequestError, match="one token opens everything") as refused:
        listen(Settings(listen_host=OTHER, listen_port=0))

    assert "TIDEGATE_IDENTITY=verified" in refused.value.hint


def test_verified_names_may_come_from_elsewhere() -> None:
    """The listening socket is where it was asked to be."""
    listener = listen(Settings(listen_host=OTHER, listen_port=0, identity="verified"))
    try:
        assert listener.getsockname()[0] == OTHER
    finally:
        listener.close()


def test_a_server_goes_by_the_names_that_are_set() -> None:
    """Those of loopback, its own address, the public one and the further ones; no others."""
    settings = Settings(
        listen_host=OTHER,
        public_url="https://Tidegate.example:8443/x",
        allowed_hosts=" a.example ,B.example,",
    )

    assert hosts_of(settings) == {
        "127.0.0.1",
        "localhost",
        "::1",
        OTHER,
        "tidegate.example",
        "a.example",
        "b.example",
    }
