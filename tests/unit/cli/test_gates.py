"""Gates on the command line."""

from pathlib import Path

from served_world import Cli, Server

from tidegate.domain.gates.model import GateVerdict
from tidegate.ports.gate import GateAnswer, GateQuestion
from tidegate.testing.memory_world import DOCUMENT

GATED = DOCUMENT + "gates: {before_start: [{backup: 24h}], before_phase: [no-incident]}\n"


class HasDocument:
    """A gate that is green once anything was submitted."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return green or red."""
        if question.documents:
            return GateAnswer(verdict=GateVerdict.GREEN, because="it was submitted")
        return GateAnswer(verdict=GateVerdict.RED, because="nothing was submitted")


def waiting(server: Server) -> str:
    server.world.gates.update(dict.fromkeys(("backup", "no-incident"), HasDocument()))
    rollout = server.started("2.0.0", GATED)
    server.turns(rollout)
    return rollout.id


def test_each_gate_is_listed_with_what_to_do(cli: Cli, server: Server) -> None:
    """A script sees by the exit code that a gate holds it."""
    rollout = waiting(server)

    told = cli("gate", "list", rollout)

    assert told.code == 6, told.err
    assert "the start" in told.out and "every phase" in told.out
    assert "nothing was submitted" in told.out
    assert "backup: tidegate gate submit shop backup FILE --change code=2.0.0" in told.out
    assert f"no-incident: mend what it says, then: tidegate gate check {rollout}" in told.out
    assert cli("gate", "list", rollout, "-o", "name").out == "backup\nno-incident\n"


def test_a_file_is_submitted_and_opens_the_gate(cli: Cli, server: Server, elsewhere: Path) -> None:
    """It says about which change, and who looks at it."""
    rollout = waiting(server)
    (elsewhere / "backup.json").write_text("{}")

    given = cli("gate", "submit", "shop", "backup", "backup.json", "--change", "code=2.0.0")
    cli("gate", "submit", "shop", "no-incident", "backup.json")
    server.turns(server.world.rollout(server.world.woken[-1]))
    told = cli("gate", "list", rollout, "-o", "json")

    assert given.code == 0, given.err
    assert "backup.json (2 bytes, sha256:" in given.out
    assert f"looked at now: rollout {rollout}" in given.out
    assert [gate["because"] for gate in told.json()["gates"]][:1] == ["it was submitted"]


def test_a_name_that_no_gate_has_is_told(cli: Cli, server: Server, elsewhere: Path) -> None:
    """It is kept, and a slip is seen."""
    waiting(server)
    (elsewhere / "backup.json").write_text("{}")

    given = cli("gate", "submit", "shop", "bakcup", "backup.json")

    assert given.code == 0, given.err
    assert "has no gate bakcup: nothing reads it until one does" in given.out.replace("\n", " ")


def test_asking_again_waits_for_the_answers(cli: Cli, server: Server) -> None:
    """And says as `list` does whether one holds it."""
    rollout = waiting(server)

    told = cli("gate", "check", rollout, "--within", "1s")

    assert told.code == 6, told.err
    assert "nothing was submitted" in told.out


def test_why_and_status_show_the_gates(cli: Cli, server: Server) -> None:
    """Whoever asks why it waits needn't ask twice."""
    rollout = waiting(server)

    for verb in ("why", "status"):
        told = cli(verb, rollout)
        assert told.code == 0, told.err
        assert "backup is red: nothing was submitted" in told.out.replace("\n", " ")
        assert "Gates" in told.out and "To do" in told.out


def test_a_plan_shows_its_gates_and_what_nobody_asks_for(
    cli: Cli, server: Server, shop: Path
) -> None:
    """What isn't configured is seen before anything moves."""
    server.installed()
    shop.write_text(GATED)

    told = cli("plan", "--change", "code=2.0.0")

    assert told.code == 0, told.err
    assert "every phase" in told.out and "max_age 24h" in told.out
    assert "Not configured: blockers," in told.out


def test_a_file_that_is_too_large_or_not_there_is_refused(
    cli: Cli, server: Server, elsewhere: Path
) -> None:
    """Before anything is sent."""
    (elsewhere / "large").write_bytes(b"0" * (1024 * 1024 + 1))

    large = cli("gate", "submit", "shop", "backup", "large")
    missing = cli("gate", "submit", "shop", "backup", "nothing")

    assert (large.code, missing.code) == (2, 2)
    assert "larger than" in large.err and "can't be read" in missing.err
