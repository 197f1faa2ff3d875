"""
Where a pull request for a branch is opened, by the address of its remote: an address for a browser.

Nothing is asked or opened here. A host that isn't known gets no address: a wrong one is worse than none.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

_SSH_SHORT: Final = re.compile(
    r"(?:[^@/\s]+@)?(?P<host>\[[^\]/]+\]|[^:/\s\[\]]+):(?P<path>(?!//).+)"
)
"""`git@host:owner/repository.git`, as git alone writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A pushed branch: `site` is the repository's page, `base` the main branch if that is known."""

    site: str
    name: str
    base: str | None


def _github(branch: Branch) -> str:
    return f"{branch.site}/compare/{_range(branch)}?expand=1"


def _gitlab(branch: Branch) -> str:
    source = quote(branch.name, safe="")
    return f"{branch.site}/-/merge_requests/new?merge_request%5Bsource_branch%5D={source}"


def _bitbucket(branch: Branch) -> str:
    return f"{branch.site}/pull-requests/new?source={quote(branch.name, safe='')}"


def _gitea(branch: Branch) -> str:
    return f"{branch.site}/compare/{_range(branch)}"


def _range(branch: Branch) -> str:
    name = quote(branch.name)
    return f"{quote(branch.base)}...{name}" if branch.base else name


_FORGES: Final[tuple[tuple[str, Callable[[Branch], str]], ...]] = (
    (r"github\.com|github\..+", _github),
    (r"gitlab\.com|gitlab\..+", _gitlab),
    (r"bitbucket\.org", _bitbucket),
    (r"codeberg\.org|gitea\..+|forgejo\..+", _gitea),
)
"""Hosts, and how each opens a pull request; companies name their own after what runs there."""


def pull_request_address(remote: str, branch: str, *, base: str | None) -> str | None:
    """
    Return the address that opens a pull request, None where the host of *remote* isn't known.

    Args:
        remote: The remote's address, as git has it. A user's name or a password in it are left out.
        branch: The branch that is proposed.
        base: The branch that it is to go into, None where that isn't known.
    """
    found = _place(remote)
    if found is None:
        return None
    host, site = found
    for pattern, address in _FORGES:
        if re.fullmatch(pattern, host):
            return address(Branch(site=site, name=branch, base=base))
    return None


def _place(remote: str) -> tuple[str, str] | None:
    """Return the host of *remote* and the repository's address in a browser."""
    short = _SSH_SHORT.fullmatch(remote)
    if short and "://" not in remote:
        return _site(short["host"].lower(), "", short["path"])
    try:
        parts = urlsplit(remote)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("https", "http", "ssh", "git") or not parts.hostname:
        return None
    # A port is that of the pages only where the pages' protocol is spoken.
    own_port = f":{port}" if port and parts.scheme in ("https", "http") else ""
    return _site(
        parts.hostname, own_port, parts.path, scheme="http" if parts.scheme == "http" else "https"
    )


def _site(host: str, port: str, path: str, *, scheme: str = "https") -> tuple[str, str] | None:
    plain = path.strip("/").removesuffix(".git")
    return (host, f"{scheme}://{host}{port}/{quote(plain, safe='/%~')}") if plain else None
