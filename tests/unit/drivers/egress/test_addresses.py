"""Requests that someone wants this server to send inside (SSRF): all refused; the good twin passes."""

import ipaddress

import httpx
import pytest

from tidegate.drivers.egress.addresses import (
    METADATA,
    AddressKind,
    AddressPolicy,
    kind_of,
    parse_networks,
)
from tidegate.drivers.egress.client import EgressClient
from tidegate.drivers.egress.transport import (
    DestinationRefusedError,
    EgressPolicy,
    GuardedTransport,
)
from tidegate.drivers.egress.urls import read_url
from tidegate.errors import EgressRefusedError

LOOPBACK = [
    "http://127.0.0.1/",
    "http://127.0.0.1:80/",
    "http://127.0.0.2/",
    "http://127.255.255.254/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://localhost.localdomain/",
    "http://foo.localhost/",
    "http://ip6-localhost/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]/",
    "http://0.0.0.0/",
    "http://0.1.2.3/",
    "http://[::]/",
]
OTHER_SPELLINGS = [
    "http://0/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://2852039166/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0x7f.1/",
    "http://0xA9FEA9FE/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://0177.0.0.1/",
    "http://0177.1/",
    "http://017700000001/",
    "http://0251.0376.0251.0376/",
    "http://127.0.0.01/",
    "http://127.000.000.001/",
    "http://127.0.0.1./",
    "http://127.0.0.0x1/",
    "http://0x/",
    "http://4294967297/",
    "http://127.0.0.256/",
    "http://127.0.0.1.2/",
    "http://1.1/",
    "http://169.254.43518/",
    "http://169.16689662/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://127%2e0%2e0%2e1/",
    "http://%31%32%37.0.0.1/",
    "http://loc\u00adalhost/",
    "http://ⓛocalhost/",
    "http://[::ffff:127.0.0.1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[fe80::1%25eth0]/",
    "http://[v1.127.0.0.1]/",
    "http://[127.0.0.1]/",
    "http://[::1/",
    "http://::1/",
]
EMBEDDED = [
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[0:0:0:0:0:ffff:7f00:0001]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[::127.0.0.1]/",
    "http://[::7f00:1]/",
    "http://[::a9fe:a9fe]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2002:0a00:0001::]/",
    "http://[2002:808:808::]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b::8.8.8.8]/",
    "http://[64:ff9b:1::a9fe:a9fe]/",
    "http://[64:ff9b:1:2:3::10.0.0.1]/",
    "http://[2001:0:7f00:1::5601:5601]/",
    "http://[2001::1]/",
    "http://[fe80::5efe:7f00:1]/",
    "http://[2600::5efe:10.0.0.1]/",
    "http://[2600::200:5efe:7f00:1]/",
]
INSIDE = [
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://172.16.0.1/",
    "http://172.31.255.254/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://100.127.255.254/",
    "http://[fc00::1]/",
    "http://[fd12:3456:789a::1]/",
    "http://[fec0::1]/",
    "http://169.254.0.1/",
    "http://169.254.1.1:80/",
    "http://[fe80::1]/",
    "http://[febf::1]/",
    "http://192.0.0.1/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://239.255.255.255/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[100::1]/",
    "http://192.88.99.1/",
]
CLOUD = [
    f"http://{address if address.version == 4 else f'[{address}]'}/" for address in METADATA
] + [
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://metadata/",
    "http://instance-data/latest/",
    "https://kubernetes.default.svc/api",
]
OTHER_FORMS = [
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_INFO",
    "dict://127.0.0.1:11211/stats",
    "ftp://127.0.0.1/",
    "ldap://127.0.0.1/",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
    "jar:http://127.0.0.1!/",
    "data:text/plain,x",
    "//127.0.0.1/",
    "127.0.0.1/",
    "http:127.0.0.1/",
    "http:/127.0.0.1/",
    "http:///127.0.0.1/",
    "http://",
    "http:///",
    "",
    "http://good.example@127.0.0.1/",
    "http://good.example:80@127.0.0.1/",
    "http://user:pass@good.example/",
    "http://good.example\\@127.0.0.1/",
    "http://127.0.0.1\\@good.example/",
    "http://good.example#@127.0.0.1/",
    "http://127.0.0.1#good.example/",
    "http://good.example%00.127.0.0.1/",
    "http://good.example\r\nHost: 127.0.0.1/",
    "http://good.example/\r\nX: y",
    "http://good.example /",
    " http://good.example/",
    "http://good.example:0/",
    "http://good.example:65536/",
    "http://good.example:080/",
    "http://good.example:-1/",
    "http://good.example:/",
    "http://good_example/",
    "http://-good.example/",
    "http://good..example/",
    "http://.good.example/",
    "http://evil.example/",
    "http://good.example.evil.example/",
    "http://evilgood.example/",
    f"http://{'a' * 64}.example/",
    f"http://good.example/{'a' * 70_000}",
]
CORPUS = [*LOOPBACK, *OTHER_SPELLINGS, *EMBEDDED, *INSIDE, *CLOUD, *OTHER_FORMS]

NAMES = {"good.example": "93.184.215.14", "localhost": "127.0.0.1", "foo.localhost": "127.0.0.1"}
POLICY = EgressPolicy(addresses=AddressPolicy(), hosts=frozenset({"good.example"}), plain_to=None)
TLS = httpx.create_ssl_context()
ANY_HOST = EgressPolicy(addresses=AddressPolicy(), hosts=None, plain_to=None)


async def resolve(host: str, port: int) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Resolve names as a hostile or careless network would: what isn't known leads inside."""
    return [ipaddress.ip_address(NAMES.get(host, "169.254.169.254"))]


def test_the_corpus_is_as_large_as_it_is_said_to_be() -> None:
    """Each case once."""
    assert len(CORPUS) == len(set(CORPUS)) >= 150


@pytest.mark.parametrize("policy", [POLICY, ANY_HOST], ids=["listed", "any host"])
@pytest.mark.parametrize("url", CORPUS, ids=lambda url: url[:60])
async def test_nothing_inside_is_asked(
    url: str, policy: EgressPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused before any connection, with a list of hosts and without one."""
    sent = _sent(monkeypatch)
    client = EgressClient(policy, resolve=resolve, verify=TLS)

    with pytest.raises(EgressRefusedError):
        await client.ask("GET", url)
    assert sent == []


@pytest.mark.parametrize(
    "url",
    [
        "http://good.example",
        "https://good.example/",
        "https://GOOD.example:8443/a/b?c=d&e=%2F",
        "https://93.184.215.14/x",
        "https://[2606:2800:21f:cb07::1]:443/",
    ],
)
async def test_the_good_twin_passes(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain address outside is let through, to exactly the address that was judged."""
    sent = _sent(monkeypatch)
    client = EgressClient(ANY_HOST, resolve=resolve)

    answer = await client.ask("GET", url)

    (request,) = sent
    assert answer.status == 200
    assert request.url.host in ("93.184.215.14", "2606:2800:21f:cb07::1")
    assert request.headers.get_list("host") == [httpx.URL(url).netloc.decode()]
    assert request.extensions["sni_hostname"] == read_url(url).host.strip("[]")


async def test_a_name_that_leads_elsewhere_the_second_time_is_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: what was judged is what is connected to, and nobody resolves it again."""
    answers = iter(["93.184.215.14", "127.0.0.1", "127.0.0.1"])
    asked = []

    async def rebinding(
        host: str, port: int
    ) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
        asked.append(host)
        return [ipaddress.ip_address(next(answers))]

    sent = _sent(monkeypatch)
    client = EgressClient(POLICY, resolve=rebinding)

    await client.ask("GET", "http://good.example/")
    with pytest.raises(EgressRefusedError, match="loopback"):
        await client.ask("GET", "http://good.example/")

    assert [request.url.host for request in sent] == ["93.184.215.14"]
    assert asked == ["good.example", "good.example"]


@pytest.mark.parametrize("bad", ["127.0.0.1", "10.0.0.1", "::1", "169.254.169.254"])
async def test_one_address_inside_among_good_ones_is_enough(bad: str) -> None:
    """An honest name has no such address; which one is connected to must not be a matter of luck."""

    async def mixed(host: str, port: int) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
        return [ipaddress.ip_address("93.184.215.14"), ipaddress.ip_address(bad)]

    with pytest.raises(EgressRefusedError, match="leads inside"):
        await EgressClient(POLICY, resolve=mixed).ask("GET", "http://good.example/")


async def test_without_tls_only_where_that_is_allowed() -> None:
    """Plain HTTP is for hosts that are named for it."""
    policy = EgressPolicy(addresses=AddressPolicy(), hosts=frozenset({"good.example"}))

    with pytest.raises(EgressRefusedError, match="only reached by https"):
        await EgressClient(policy, resolve=resolve).ask("GET", "http://good.example/")


@pytest.mark.parametrize(
    ("networks", "address", "is_let_through"),
    [
        ("10.1.0.0/16", "10.1.2.3", True),
        ("10.1.0.0/16", "10.2.0.1", False),
        ("0.0.0.0/0", "127.0.0.1", True),
        ("0.0.0.0/0, ::/0", "169.254.169.254", False),
        ("169.254.0.0/16", "169.254.169.254", False),
        ("169.254.169.254/32", "169.254.169.254", True),
        ("fd00:ec2::254/128", "fd00:ec2::254", True),
        ("fd00::/8", "fd00:ec2::254", False),
        ("64:ff9b::/96", "64:ff9b::8.8.8.8", True),
        ("64:ff9b::/96", "64:ff9b::127.0.0.1", False),
        ("64:ff9b::/96", "64:ff9b::169.254.169.254", False),
        ("64:ff9b::/96 127.0.0.0/8", "64:ff9b::127.0.0.1", True),
        ("10.0.0.0/8", "::ffff:10.0.0.1", False),
        ("", "93.184.215.14", True),
    ],
)
def test_an_operator_opens_what_they_name(
    networks: str, address: str, *, is_let_through: bool
) -> None:
    """And no more: a wide range doesn't open what hands out secrets, a form of IPv6 not what is in it."""
    policy = AddressPolicy(networks=parse_networks(networks))

    assert (policy.refusal(ipaddress.ip_address(address)) is None) == is_let_through


@pytest.mark.parametrize("written", ["10.0.0.1/8", "10.0.0.0/33", "x", "10.0.0.0/8;::/0"])
def test_a_network_that_is_none_is_refused(written: str) -> None:
    """Bits behind the prefix are a mistake, and a mistake must not open anything."""
    with pytest.raises(ValueError, match=r"."):
        parse_networks(written)


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/metrics", "http://[fe80::1]/", "http://metadata/", "http://0/"]
)
async def test_sources_of_signals_may_be_near_but_never_hand_out_secrets(url: str) -> None:
    """Prometheus runs on this machine or network; nothing to measure is at a link-local address."""
    near = frozenset({AddressKind.GLOBAL, AddressKind.PRIVATE, AddressKind.LOOPBACK})
    policy = EgressPolicy(addresses=AddressPolicy(kinds=near), hosts=None, plain_to=None)
    transport = GuardedTransport(policy, resolve=resolve)

    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(DestinationRefusedError):
            await client.get(url)
    assert policy.addresses.refusal(ipaddress.ip_address("127.0.0.1")) is None
    assert policy.addresses.refusal(ipaddress.ip_address("10.0.0.1")) is None


def test_every_kind_is_told_apart() -> None:
    """One example of each."""
    examples = {
        "8.8.8.8": AddressKind.GLOBAL,
        "10.0.0.1": AddressKind.PRIVATE,
        "::1": AddressKind.LOOPBACK,
        "fe80::1": AddressKind.LINK_LOCAL,
        "169.254.169.254": AddressKind.METADATA,
        "224.0.0.1": AddressKind.SPECIAL,
    }

    assert {one: kind_of(ipaddress.ip_address(one)) for one in examples} == examples


def _sent(monkeypatch: pytest.MonkeyPatch) -> list[httpx.Request]:
    """Return a list of what would have been sent from here on; nothing leaves."""
    sent: list[httpx.Request] = []

    async def send(_: object, request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, stream=httpx.ByteStream(b"ok"))

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", send)
    return sent
