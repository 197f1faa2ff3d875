"""Promised defaults: people rely on them without having chosen them."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from tidegate.settings import Settings

PROMISED = {
    "state_dir": None,
    "store_url": None,
    "listen_host": "127.0.0.1",
    "allowed_hosts": "",
    "identity": "claimed",
    "listen_port": 7180,
    "lab_allowed": False,
    "watch_every_seconds": 1.0,
    "egress_allowed_networks": "",
    "ledger_witnesses": "",
    "public_url": None,
    "oidc_issuer": None,
    "oidc_client_id": "tidegate",
    "oidc_client_secret_file": None,
    "oidc_audience": None,
    "oidc_person_claim": "sub",
    "oidc_name_claim": "preferred_username",
    "oidc_groups_claim": "groups",
    "oidc_organisation": "default",
    "oidc_algorithms": "RS256,ES256,EdDSA",
    "requests_per_second": 100.0,
    "requests_at_once": 1000,
    "requests_worked_on": 6,
    "requests_waiting": 64,
    "requests_lasting": 200,
    "log_level": "info",
}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that is set where the tests run is read."""
    for name in PROMISED:
        monkeypatch.delenv(f"TIDEGATE_{name.upper()}", raising=False)


def test_every_default_is_the_promised_one() -> None:
    """A default doesn't change, and no setting appears or goes, without this list being changed."""
    assert Settings().model_dump() == PROMISED


def test_each_setting_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """`TIDEGATE_` and the setting's name in capitals is what an operator sets."""
    given = {
        "STATE_DIR": "/var/lib/tidegate",
        "STORE_URL": "postgresql://tidegate@db/tidegate",
        "LISTEN_HOST": "::1",
        "ALLOWED_HOSTS": "tidegate.example",
        "IDENTITY": "verified",
        "LISTEN_PORT": "0",
        "LAB_ALLOWED": "true",
        "WATCH_EVERY_SECONDS": "0.5",
        "EGRESS_ALLOWED_NETWORKS": "10.1.0.0/16",
        "LEDGER_WITNESSES": "file:/mnt/heads",
        "PUBLIC_URL": "https://tidegate.example",
        "OIDC_ISSUER": "https://login.example",
        "OIDC_CLIENT_ID": "tg",
        "OIDC_CLIENT_SECRET_FILE": "/run/secret",
        "OIDC_AUDIENCE": "deploys",
        "OIDC_PERSON_CLAIM": "oid",
        "OIDC_NAME_CLAIM": "email",
        "OIDC_GROUPS_CLAIM": "roles",
        "OIDC_ORGANISATION": "team-a",
        "OIDC_ALGORITHMS": "ES256",
        "REQUESTS_PER_SECOND": "20",
        "REQUESTS_AT_ONCE": "50",
        "REQUESTS_WORKED_ON": "12",
        "REQUESTS_WAITING": "30",
        "REQUESTS_LASTING": "20",
        "LOG_LEVEL": "debug",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"TIDEGATE_{name}", value)

    settings = Settings()

    assert settings.model_dump() == {
        "state_dir": Path("/var/lib/tidegate"),
        "store_url": "postgresql://tidegate@db/tidegate",
        "listen_host": "::1",
        "allowed_hosts": "tidegate.example",
        "identity": "verified",
        "listen_port": 0,
        "lab_allowed": True,
        "watch_every_seconds": 0.5,
        "egress_allowed_networks": "10.1.0.0/16",
        "ledger_witnesses": "file:/mnt/heads",
        "public_url": "https://tidegate.example",
        "oidc_issuer": "https://login.example",
        "oidc_client_id": "tg",
        "oidc_client_secret_file": Path("/run/secret"),
        "oidc_audience": "deploys",
        "oidc_person_claim": "oid",
        "oidc_name_claim": "email",
        "oidc_groups_claim": "roles",
        "oidc_organisation": "team-a",
        "oidc_algorithms": "ES256",
        "requests_per_second": 20.0,
        "requests_at_once": 50,
        "requests_worked_on": 12,
        "requests_waiting": 30,
        "requests_lasting": 20,
        "log_level": "debug",
    }
    assert settings.watch_every == timedelta(seconds=0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LISTEN_PORT", "65536"),
        ("WATCH_EVERY_SECONDS", "0"),
        ("WATCH_EVERY_SECONDS", "60"),
        ("LOG_LEVEL", "loud"),
        ("LAB_ALLOWED", "perhaps"),
        ("IDENTITY", "believed"),
        ("OIDC_ALGORITHMS", "none"),
        ("OIDC_ALGORITHMS", "HS256"),
        ("OIDC_ALGORITHMS", ""),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server never runs on a setting that it had to guess."""
    monkeypatch.setenv(f"TIDEGATE_{name}", value)

    with pytest.raises(ValidationError):
        Settings()
