"""What the command line makes of servers that end, cut, stall or can't be trusted."""

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from served_world import Cli, Server

from tidegate.api.shapes.problem import Problem
from tidegate.cli import connection
from tidegate.cli.client import TRIES, Client
from tidegate.cli.connection import Connection, ConnectionBrokenError, NotConnectedError
from tidegate.cli.server_file import Address
from tidegate.errors import ServerUnreachableError

WHOLE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
CUT = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}"
CUT_CHUNK = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{}"
NOT_HTTP = b"SSH-2.0-OpenSSH_9.2\r\n"
NOTHING = b""


@contextmanager
def answering(
    answers: Sequence[bytes], wrap: Callable[[socket.socket], socket.socket] = lambda plain: plain
) -> Iterator[tuple[str, list[bytes]]]:
    """Serve one of *answers* per connection and then end it; give the address and what was asked."""
    asked: list[bytes] = []

    def serve() -> None:
        for answer in answers:
            try:
                with wrap(listener.accept()[0]) as peer:
                    asked.append(peer.recv(65536))
                    peer.sendall(answer)
            except ssl.SSLError:
                # Whoever called didn't trust us, which is what the test is about.
                continue
            except OSError:
                # No more calls: the listener is shut.
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker = threading.Thread(target=serve)
        worker.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}", asked
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            worker.join()


def test_a_connection_that_the_server_has_ended_is_made_again() -> None:
    """A server ends idle connections; the next request doesn't fail for it."""
    with answering([WHOLE, WHOLE]) as (place, asked):
        one = Connection(f"http://{place}", {})
        first = one.request("GET", "/a")
        with pytest.raises(ConnectionBrokenError):
            one.request("GET", "/b")
        again = one.request("GET", "/c")
        one.close()

    assert (first.content, again.content) == (b"{}", b"{}")
    assert [request.split()[1] for request in asked] == [b"/a", b"/c"]


@pytest.mark.parametrize("answer", [NOTHING, CUT, CUT_CHUNK, NOT_HTTP])
def test_a_command_is_sent_again_under_its_key_when_the_answer_breaks(answer: bytes) -> None:
    """What may have been done isn't done twice: each try carries the same key. Then it gives up."""
    with answering([answer] * TRIES) as (place, asked):
        client = Client(Address(url=f"http://{place}", token=""))
        with pytest.raises(ServerUnreachableError, match="is not there"):
            client.post("/v1/stops", Problem, {})
        client.close()

    keys = {
        line
        for request in asked
        for line in request.lower().split(b"\r\n")
        if line.startswith(b"idempotency-key: ")
    }
    assert (len(asked), len(keys)) == (TRIES, 1)


@pytest.mark.parametrize("answer", [CUT, CUT_CHUNK])
def test_a_download_that_is_cut_is_an_error(answer: bytes) -> None:
    """Half a ledger never passes for the whole."""
    with answering([answer]) as (place, _), pytest.raises(ServerUnreachableError):
        client = Client(Address(url=f"http://{place}", token=""))
        list(client.download("/v1/ledger/export"))


def test_who_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that stalls is told as one, and is asked once."""
    monkeypatch.setattr(connection, "ANSWER_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ServerUnreachableError, match="didn't answer in time"):
            list(Client(Address(url=place, token="")).download("/v1/ledger/export"))


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://127.0.0.1", "http://", "http://127.0.0.1:x", "http://[::1", "//a"]
)
def test_what_is_no_address_is_told(cli: Cli, url: str) -> None:
    """Whatever the address is, there is a sentence about it."""
    told = cli("status", "--url", url, "--token", "t")

    assert told.code == 1
    assert "is not there" in told.err


@pytest.mark.parametrize("token", ["two\r\nlines: here", "tök", "a\tb"])
def test_what_is_no_token_is_sent_nowhere(cli: Cli, server: Server, token: str) -> None:
    """A token can't add a line to a request."""
    told = cli("status", "--token", token)

    assert told.code == 4
    assert "characters that no token has" in told.err


def test_no_proxy_of_the_environment_comes_between(
    cli: Cli, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token goes to the server itself."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert cli("status").code == 0


def test_names_are_written_so_that_they_stay_names() -> None:
    """Spaces and signs in a path or a parameter can't make it another request."""
    with answering([WHOLE]) as (place, asked):
        one = Connection(f"http://{place}/below", {})
        one.request("GET", "/a b\r\n", params={"q": "x&y=z é", "many": ["1", "2"]})
        one.close()

    line = asked[0].split(b"\r\n")[0]
    assert line == b"GET /below/a%20b%0D%0A?q=x%26y%3Dz+%C3%A9&many=1&many=2 HTTP/1.1"


def test_only_a_trusted_authority_lets_https_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate by somebody unknown is refused; one that this machine trusts isn't."""
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with answering([WHOLE, WHOLE], lambda plain: context.wrap_socket(plain, server_side=True)) as (
        place,
        _,
    ):
        with pytest.raises(NotConnectedError, match="certificate verify failed"):
            Connection(f"https://{place}", {}).request("GET", "/")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        trusted = Connection(f"https://{place}", {})
        answer = trusted.request("GET", "/")
        trusted.close()

    assert answer.content == b"{}"


def self_signed(folder: Path) -> Path:
    """Return a file with a certificate for this machine, by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a server of a test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path
