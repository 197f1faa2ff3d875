"""
What an operator may set, read from the environment and nowhere else. Only `main` reads this.

Plans and policies are not settings: they are in `tidegate.yaml`. Each default is pinned by a test,
because people rely on it without having chosen it.
"""

from datetime import timedelta
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of `tidegate server run`, each as the environment variable `TIDEGATE_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="TIDEGATE_", extra="ignore", frozen=True)

    state_dir: Path | None = None
    """The server's files. Default `$XDG_STATE_HOME/tidegate`, else `~/.local/state/tidegate`."""

    store_url: str | None = None
    """The database, `sqlite:///…` or `postgresql+psycopg://…`. Default: SQLite in the state folder."""

    listen_host: str = "127.0.0.1"
    """Where the API listens. Loopback only, unless `identity` is verified: one token opens everything."""

    allowed_hosts: str = ""
    """Further host names that this server goes by, with commas between; those of loopback always are."""

    identity: str = Field(default="claimed", pattern="^(claimed|verified)$")
    """What names are worth. With verified, the server's own token stops, reads and lets people in again."""

    listen_port: int = Field(default=7180, ge=0, le=65535)
    """The API's port; 0 takes a free one."""

    lab_allowed: bool = False
    """Whether targets with `environment: lab` are accepted, which production's rules don't bind."""

    watch_every_seconds: float = Field(default=1.0, gt=0, le=10)
    """How often the watch looks for rollouts whose tick is due. A tick is 10 s, in a lab 1 s."""

    egress_allowed_networks: str = ""
    """
    Networks inside that addresses in documents and settings may lead to, as `10.1.0.0/16, fd00:1::/64`. An
    address that hands out secrets of a cloud needs a network of its own.
    """

    ledger_witnesses: str = ""
    """Who keeps heads of the ledger elsewhere: `file:/FOLDER`, `git:/FOLDER`, `https://…`; spaces between."""
    public_url: str | None = None
    """How browsers reach this server, for logins. Default: the address that they ask for."""

    oidc_issuer: str | None = None
    """The identity provider that people log in with (OpenID Connect): its issuer, an https address."""

    oidc_client_id: str = "tidegate"
    """What this server is called at the identity provider."""

    oidc_client_secret_file: Path | None = None
    """A file with this server's secret at the provider. Default: none, as a public client with PKCE."""

    oidc_audience: str | None = None
    """Whom ID tokens must be for. Default: the client id."""

    oidc_person_claim: str = "sub"
    """Which claim says who somebody is when persons are counted. It may never change or be given away."""

    oidc_name_claim: str = "preferred_username"
    """Which claim says how somebody is called. Default: that, and without it the person's claim."""

    oidc_groups_claim: str = "groups"
    """Which claim lists the groups of a person."""

    oidc_organisation: str = "default"
    """The organisation of everyone who logs in."""

    oidc_algorithms: str = Field(
        default="RS256,ES256,EdDSA",
        pattern="^(RS256|ES256|EdDSA)(,(RS256|ES256|EdDSA))*$",
    )
    """Which signatures of the provider are accepted: RS256, ES256, EdDSA, or some of them."""

    requests_per_second: float = Field(default=100.0, gt=0, le=100_000)
    """How fast one token may ask, over time. Halts and alarms are never limited."""

    requests_at_once: int = Field(default=1_000, ge=1, le=1_000_000)
    """How many requests one token may send at once, before that counts."""

    requests_worked_on: int = Field(default=6, ge=1, le=1_000)
    """How many requests the server works on at once. Halts, alarms and `/healthz` are never counted."""

    requests_waiting: int = Field(default=64, ge=1, le=100_000)
    """How many more may wait for that; what comes beyond is answered 503 with `Retry-After`."""

    requests_lasting: int = Field(default=200, ge=1, le=100_000)
    """How many requests may wait for events at the same time, as `tidegate watch` does."""

    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    """What is logged to standard error: debug, info, warning or error."""

    @property
    def watch_every(self) -> timedelta:
        """`watch_every_seconds` as a duration."""
        return timedelta(seconds=self.watch_every_seconds)
