"""Emergencies on the command line: declare, agree, start, and what is said when it isn't one."""

from typing import Any

import httpx
from served_world import TOKEN, Cli, Server

DECLARE = (
    *("emergency", "declare", "shop", "--change", "code=1.1.0", "--type", "security"),
    *("--incident", "INC-7", "--reason", "CVE-2030-1"),
)


def agreed(server: Server, emergency: str) -> dict[str, Any]:
    """Return what bob's yes did."""
    answer = httpx.post(
        f"{server.url}/v1/emergencies/{emergency}/approve",
        json={},
        headers={"authorization": f"Bearer {TOKEN}", "tidegate-actor": "bob"},
        trust_env=False,
    )
    answer.raise_for_status()
    return dict(answer.json())


def test_is_declared_and_waits_for_somebody_else(cli: Cli, server: Server) -> None:
    """It says what is shortened, what stays, who must agree, until when; the declarer can't."""
    server.installed()

    told = cli(*DECLARE, "--fact", "cve.score=9.8", "--fact", 'note="7"')
    name = cli("emergency", "list", "-o", "name").out.strip()
    shown = cli("emergency", "show", name)
    own = cli("emergency", "approve", name)

    assert told.code == 0, told.err
    assert told.out.startswith(f"EMERGENCY {name}  security: shop code=1.1.0\n")
    assert "bakes / 12 (min 10m), 2 persons; 1 more needed" in told.out
    assert "unchanged    phases: all 3, few first" in told.out
    assert f"tidegate emergency approve {name}" in told.out
    assert "expires" in told.out
    assert 'note = "7" (claimed)' in shown.out
    assert (own.code, "somebody else has to agree" in own.err) == (6, True)


def test_starts_under_it_when_somebody_agreed(cli: Cli, server: Server) -> None:
    """The answer to a yes names the way to start; the rollout says under what it is."""
    server.installed()
    cli(*DECLARE, "--fact", "severity=sev1")
    name = cli("emergency", "list", "-o", "name").out.strip()
    early = cli("start", "shop", "--change", "code=1.1.0", "--emergency", name)

    yes = agreed(server, name)
    started = cli("start", "shop", "--change", "code=1.1.0", "--emergency", name, "-o", "json")

    assert (early.code, "1 more must agree" in early.err) == (6, True)
    assert yes["emergency"]["state"] == "authorised"
    assert started.code == 0, started.err
    assert f'"emergency": "{name}"' in started.out


def test_what_is_unmet_is_named(cli: Cli, server: Server) -> None:
    """Exit code 6 and the parts of the criteria; 2 for what isn't said well."""
    server.installed()

    unmet = cli(*DECLARE, "--fact", "cve.score=5.3")
    no_incident = cli(*DECLARE[:7], "--reason", "because")
    badly_said = cli(*DECLARE, "--fact", "severity")
    twice = cli(*DECLARE, "--fact", "a=1", "--fact", "a=2")

    assert unmet.code == 6
    assert "cve.score >= 7 is false (cve.score is a number: 5.3)" in unmet.err
    assert "exploited is unknown" in unmet.err
    assert [no_incident.code, badly_said.code, twice.code] == [2, 2, 2]
    assert cli("emergency", "list").out == "no emergencies\n"


def test_a_drill_shows_the_way(cli: Cli, server: Server) -> None:
    """Exit code 0 when nothing would be in the way; the next one says when the last was."""
    server.installed()

    first = cli("emergency", "drill", "outage", "--service", "shop")
    second = cli("emergency", "drill", "outage", "--service", "shop")

    assert first.code == 0, first.err
    assert first.out.startswith("DRILL  outage with shop (never before). Nothing was started.\n")
    assert "nothing would be in the way" in first.out
    assert "(last " in second.out
    assert cli("emergency", "drill", "boredom", "--service", "shop").code == 2
