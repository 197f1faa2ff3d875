"""`plan` and `start`: what is shown, what is started, and that they're the same."""

import json
import stat
from pathlib import Path

from served_world import Cli, Server

from tidegate.domain.rollout.machine import State
from tidegate.testing.memory_world import DOCUMENT


def test_plan_shows_phases_and_how_to_start_exactly_this(
    cli: Cli, server: Server, shop: Path
) -> None:
    """Phases with exposure and bake, what is unknown, warnings with their place, the start command."""
    server.installed()

    shown = cli("plan", "--change", "code=1.1.0")

    assert (shown.code, shown.err) == (0, "")
    assert "shop  code 1.1.0 (from 1.0.0)" in shown.out
    assert "2  half   code, eu  50%       20s" in shown.out
    assert "1 of team-release" in shown.out
    assert "Traffic  not known yet" in shown.out
    assert "tidegate.yaml:12:3: no usage signal" in shown.out
    assert "0 errors, 1 warning." in shown.out
    assert "tidegate start shop --change code=1.1.0 --plan sha256:" in shown.out


def test_the_start_command_that_plan_prints_works(cli: Cli, server: Server, shop: Path) -> None:
    """Copied as it stands it starts the plan."""
    server.installed()
    printed = cli("plan", "--change", "code=1.1.0").out
    command = printed.split("Start with: tidegate ")[1].strip()

    started = cli(*command.split(), "-o", "json")

    assert started.code == 0
    assert started.json()["plan_hash"].startswith(command.split()[-1])


def test_plan_with_a_rate_says_what_bakes_can_rule_out(
    cli: Cli, server: Server, shop: Path
) -> None:
    """Too little traffic is called weak, with what it would need; enough isn't."""
    server.installed()

    weak = cli("plan", "--change", "code=1.1.0", "--rate", "0.5")
    strong = cli("plan", "--change", "code=1.1.0", "--rate", "500/s")

    assert "WEAK" in weak.out
    assert "W2 few at 10% for 30s can't rule out the 5.000 pp you tolerate in errors" in weak.out
    assert "(needs about 25m, or 50% for 5m)" in weak.out
    assert "Weakest  few" in weak.out
    assert "WEAK" not in strong.out
    assert ">= " in strong.out


def test_plan_shows_calendar_faults_and_what_each_bake_can_show(
    cli: Cli, server: Server, shop: Path
) -> None:
    """When each phase would be, what its gates can prove and when, and what a fault would cost."""
    server.installed()

    shown = cli("plan", "--change", "code=1.1.0", "--traffic", "500/s").out

    assert "3 phases, 50s if all goes well (09:0" in shown
    assert "10%, 50 req/s" in shown
    assert "What the bakes can show" in shown
    assert "few    errors  0.916 pp      5.000 pp" in shown
    assert "A fault that begins with the phase" in shown
    assert "+0.500 pp    about 36 s, after this bake" in shown
    assert "Weakest  few" in shown


def test_plan_as_json_holds_the_whole_forecast(cli: Cli, server: Server, shop: Path) -> None:
    """Everything that the text shows, in units."""
    server.installed()

    forecast = cli("plan", "--change", "code=1.1.0", "--traffic", "0.5", "-o", "json").json()[
        "forecast"
    ]

    few, half, everyone = forecast["phases"]
    assert few["weak"] is True
    assert few["signals"][0]["proof_needs_seconds"] > half["signals"][0]["proof_needs_seconds"]
    assert few["alternative"]["weight_bps"] == 5_000
    assert [fault["excess"] for fault in few["faults"]] == [0.005, 0.02]
    assert everyone["signals"] == []
    assert few["ends_at"] == half["begins_at"]
    assert forecast["weakest_phase"] == 1
    assert forecast["traffic"]["assumed"] is True


def test_a_saved_plan_starts_exactly_that(cli: Cli, server: Server, shop: Path) -> None:
    """The file holds everything: the tidegate.yaml isn't needed any more."""
    server.installed()
    saved = cli("plan", "--change", "code=1.1.0", "-o", "later.json")
    shop.unlink()

    started = cli("start", "--plan", "later.json", "-o", "json")

    assert (saved.code, started.code) == (0, 0)
    content = json.loads(Path("later.json").read_text())
    assert content["schema_version"] == 1
    assert content["plan_hash"] == started.json()["plan_hash"]
    assert stat.S_IMODE(Path("later.json").stat().st_mode) == 0o600


def test_a_saved_plan_that_moved_is_refused_with_6(cli: Cli, server: Server, shop: Path) -> None:
    """When something else has been deployed meanwhile the plan that was seen isn't started."""
    server.installed()
    cli("plan", "--change", "code=1.1.0", "-o", "later.json")
    content = json.loads(Path("later.json").read_text())
    content["service"]["plan"]["phases"][0]["bake"] = "11s"
    Path("later.json").write_text(json.dumps(content))

    refused = cli("start", "--plan", "later.json")

    assert refused.code == 6
    assert "plan again" in refused.err


def test_a_hash_of_another_plan_is_refused_with_6(cli: Cli, server: Server, shop: Path) -> None:
    """Neither a whole hash nor the beginning of one starts another plan."""
    server.installed()

    for wrong in ("sha256:" + "0" * 64, "sha256:00000"):
        refused = cli("start", "--change", "code=1.1.0", "--plan", wrong)
        assert refused.code == 6
        assert "plan again" in refused.err


def test_a_file_that_isnt_a_plan_is_told(cli: Cli, server: Server, elsewhere: Path) -> None:
    """Missing, broken and other files are told apart from a hash."""
    (elsewhere / "other.json").write_text('{"kind": "something"}')

    for name in ("missing.json", "other.json"):
        refused = cli("start", "--plan", name)
        assert refused.code == 2
        assert name in refused.err


def test_plan_exits_with_10_only_when_asked(cli: Cli, server: Server, shop: Path) -> None:
    """Scripts can tell a plan with changes; without asking it's a success."""
    server.installed()

    assert cli("plan", "--change", "code=1.1.0", "--detailed-exitcode").code == 10
    assert cli("plan", "--change", "code=1.1.0").code == 0
    assert cli("plan", "--change", "code=1.0.0", "--detailed-exitcode").code == 6


def test_start_says_what_comes_and_how_to_follow_and_stop(
    cli: Cli, server: Server, shop: Path
) -> None:
    """A detached start prints the way and every command one might want next."""
    server.installed()

    started = cli("start", "--change", "code=1.1.0")

    assert started.code == 0
    assert "shop code 1.1.0 (from 1.0.0), plan custom" in started.out
    assert "few 10s -> half 20s -> all 20s" in started.out
    assert "Follow: tidegate watch" in started.out
    assert "Stop: tidegate halt" in started.out


def test_start_by_name_needs_no_file(cli: Cli, server: Server) -> None:
    """A service that the server knows is started from anywhere."""
    server.installed()

    started = cli("start", "shop", "--change", "code=1.1.0", "-o", "name")

    assert started.code == 0
    assert server.world.rollout(started.out.strip()).state is State.WAITING  # type: ignore[arg-type]


def test_start_takes_the_named_service_and_not_the_file_that_lies_around(
    cli: Cli, server: Server, elsewhere: Path
) -> None:
    """In another service's folder a name means that service; with -f the contradiction is told."""
    server.installed()
    other = DOCUMENT.replace("service: shop", "service: other")
    (elsewhere / "tidegate.yaml").write_text(other)

    by_name = cli("start", "shop", "--change", "code=1.1.0", "-o", "json")
    contradiction = cli("start", "shop", "-f", "tidegate.yaml", "--change", "code=1.1.0")

    assert by_name.json()["service"] == "shop"
    assert contradiction.code == 2
    assert "is of other" in contradiction.err


def test_a_start_behind_another_rollout_says_that_it_is_queued(
    cli: Cli, server: Server, shop: Path
) -> None:
    """It isn't refused and doesn't look begun; what it waits for is named."""
    first = server.started()

    queued = cli("start", "--change", "code=1.2.0")

    assert queued.code == 0
    assert " queued: shop code 1.2.0" in queued.out
    assert f"it waits for rollout {first.id}" in queued.out


def test_changes_must_be_written_right(cli: Cli, server: Server, shop: Path) -> None:
    """No version, no component, twice the same: each is told, and nothing is started."""
    for words in ([], ["--change", "1.1.0"], ["--change", "=1"], ["--change", "code="]):
        assert cli("start", *words).code == 2, words
    twice = cli("start", "--change", "code=1", "--change", "code=2")

    assert twice.code == 2
    assert "twice" in twice.err
    assert cli("status", "-o", "json").json()["rollouts"] == []


def test_a_broken_file_is_told_before_anything_is_asked(cli: Cli, elsewhere: Path) -> None:
    """An invalid tidegate.yaml is exit 2 with its places, even without a server."""
    (elsewhere / "tidegate.yaml").write_text("version: 1\nservice: shop\n")

    told = cli("plan", "--change", "code=1")

    assert told.code == 2
    assert "tidegate.yaml" in told.err
