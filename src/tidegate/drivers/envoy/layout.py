"""
Where a target's Envoy is found and what things are called in it.

Traffic and signals drivers must agree on this without knowing each other, so it is written once.
Nothing here asks an Envoy anything; that is `admin`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tidegate.domain.quantities import ServiceName, TargetName
from tidegate.errors import TrafficError

CLUSTERS_FILE: Final = "clusters.cds.json"
LISTENERS_FILE: Final = "listeners.lds.json"
BOOTSTRAP_FILE: Final = "bootstrap.json"

# Names become file names, parts of statistics' names and of regular expressions.
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminAddress:
    """Where an Envoy's admin interface listens: a unix socket, or else a loopback host and port."""

    socket: Path | None = None
    authority: str = "envoy"

    def __str__(self) -> str:
        return str(self.socket) if self.socket is not None else self.authority


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """
    One target's Envoy: `managed` by us, or the user's own.

    `config` is the folder it reads from. `folder` holds everything else of a managed one: its admin
    socket, the note about it, the access log; it is None for the user's own.
    """

    target: TargetName
    admin: AdminAddress
    config: Path
    folder: Path | None

    @property
    def managed(self) -> bool:
        """Whether we start this Envoy and write all of its files."""
        return self.folder is not None

    def routes_file(self, service: ServiceName) -> str:
        """Return the name of *service*'s file in `config`; it holds one RouteConfiguration."""
        return f"{plain_name(service, 'service')}.rds.json"

    def members_file(self, service: ServiceName, pool: str) -> str:
        """
        Return the name of a pool's file in `config`; it holds one ClusterLoadAssignment.

        With the pool `*`, the pattern of all pools' files. No name has a tilde in it.
        """
        last = pool if pool == "*" else plain_name(pool, "pool")
        return f"{plain_name(service, 'service')}~{last}.eds.json"


def proxy_of(root: Path, target: TargetName, target_settings_json: str) -> Proxy:
    """
    Return the Envoy of *target*: the user's own when the settings name one, else ours below *root*.

    Raises:
        TrafficError: the settings name an Envoy without its admin address or its folder.
    """
    own = json.loads(target_settings_json).get("envoy")
    if own is None:
        folder = root / plain_name(target, "target")
        return Proxy(
            target=target,
            admin=AdminAddress(socket=folder / "admin.sock"),
            config=folder / "config",
            folder=folder,
        )
    if not isinstance(own, dict) or not own.get("admin") or not own.get("rds_dir"):
        raise TrafficError(
            f"the envoy of target {target} needs both admin and rds_dir",
            hint='Write envoy: {admin: "127.0.0.1:9901", rds_dir: "/etc/envoy/tidegate"}.',
        )
    admin = str(own["admin"])
    address = (
        AdminAddress(socket=Path(admin))
        if admin.startswith("/")
        else AdminAddress(authority=admin.removeprefix("http://"))
    )
    return Proxy(target=target, admin=address, config=Path(own["rds_dir"]), folder=None)


def cluster_name(service: ServiceName, pool: str) -> str:
    """
    Return what a pool is called in Envoy.

    Pools are unique per service and target, and services share an Envoy, so both are in the name.
    The slash can be in neither, and Envoy leaves it alone in the names of statistics.
    """
    return f"{plain_name(service, 'service')}/{plain_name(pool, 'pool')}"


def plain_name(name: str, what: str) -> str:
    """Return *name*, which may be a file's name; raises TrafficError for one that may not."""
    if _PLAIN_NAME.fullmatch(name) is None:
        raise TrafficError(
            f"the {what}'s name {name!r} can't be used with Envoy",
            hint="Use letters, digits, dots, dashes and underscores, 128 at most.",
        )
    return name


def started_at(proxy: Proxy) -> str | None:
    """
    Return when the managed Envoy now running was started, as noted at its start; None if unknown.

    It tells one life of an Envoy from the next, whose counters begin at zero again.
    """
    if proxy.folder is None:
        return None
    try:
        note: Mapping[str, object] = json.loads((proxy.folder / "admin.json").read_bytes())
    except (OSError, ValueError):
        return None
    return str(note.get("started_at")) if isinstance(note, dict) else None
