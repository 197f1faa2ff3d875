"""What the server reaches outside of itself: which addresses, for sources of signals and for witnesses."""

from pathlib import Path

from tidegate.drivers.egress.addresses import (
    AddressKind,
    AddressPolicy,
    Network,
    parse_networks,
)
from tidegate.drivers.egress.client import EgressClient
from tidegate.drivers.egress.transport import EgressPolicy, GuardedTransport
from tidegate.drivers.egress.urls import read_url
from tidegate.drivers.witness.file import FileWitness
from tidegate.drivers.witness.git import GitWitness
from tidegate.drivers.witness.http import HttpWitness
from tidegate.errors import (
    InvalidRequestError,
)
from tidegate.ports.witness import Witness
from tidegate.settings import Settings


def egress_networks(settings: Settings) -> tuple[Network, ...]:
    """Return the networks inside that may be reached. Raises InvalidRequestError for none that is one."""
    try:
        return parse_networks(settings.egress_allowed_networks)
    except ValueError as exc:
        raise InvalidRequestError(
            f"TIDEGATE_EGRESS_ALLOWED_NETWORKS can't be used: {exc}",
            hint="write networks as 10.1.0.0/16, with commas between",
        ) from exc


def to_sources(networks: tuple[Network, ...]) -> GuardedTransport:
    """Return the way to sources of signals, which run near: on this machine, on the own network."""
    near = frozenset({AddressKind.GLOBAL, AddressKind.PRIVATE, AddressKind.LOOPBACK})
    addresses = AddressPolicy(kinds=near, networks=networks)
    return GuardedTransport(EgressPolicy(addresses=addresses, hosts=None, plain_to=None))


def witnesses_of(settings: Settings) -> tuple[Witness, ...]:
    """Return who keeps heads of the ledger. Raises InvalidRequestError."""
    networks = egress_networks(settings)
    written = settings.ledger_witnesses.split()
    if len(set(written)) != len(written):
        raise InvalidRequestError(
            "TIDEGATE_LEDGER_WITNESSES names one twice", hint="name each witness once"
        )
    return tuple(_witness(one, networks) for one in written)


def _witness(written: str, networks: tuple[Network, ...]) -> Witness:
    scheme, _, place = written.partition(":")
    if scheme in ("file", "git") and Path(place).is_absolute():
        return FileWitness(Path(place)) if scheme == "file" else GitWitness(Path(place))
    try:
        destination = read_url(written)
    except ValueError as exc:
        raise InvalidRequestError(
            f"TIDEGATE_LEDGER_WITNESSES can't be used: {written[:80]!r}: {exc}",
            hint="as in file:/mnt/elsewhere, git:/srv/heads or https://witness.example/heads",
        ) from exc
    policy = EgressPolicy(
        addresses=AddressPolicy(networks=networks),
        hosts=frozenset({destination.host}),
        # Heads are signed and no secret: whoever runs the server may send them without TLS.
        plain_to=frozenset({destination.host}),
    )
    return HttpWitness(written, EgressClient(policy))
