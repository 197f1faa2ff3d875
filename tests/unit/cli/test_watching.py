"""`watch` and `start --watch`: how following ends, and what is printed on the way."""

import json
from pathlib import Path

from served_world import Cli, Server

from tidegate.domain.quantities import Arm
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import ReasonCode
from tidegate.testing.memory_world import DOCUMENT


def test_a_completed_rollout_exits_with_0(cli: Cli, server: Server) -> None:
    """Done is done."""
    rollout = server.installed()

    watched = cli("watch", rollout.id)

    assert watched.code == 0
    assert "completed" in watched.out


def test_a_rolled_back_rollout_exits_with_5_and_says_why(cli: Cli, server: Server) -> None:
    """Harm that was caught ends the watch with its own code."""
    rollout = server.baking()
    server.run(rollout, State.ROLLED_BACK, failing={Arm.CANDIDATE: 0.5})

    watched = cli("watch", "shop")

    assert watched.code == 5
    assert "harm proven: errors" in watched.out


def test_a_rollout_that_needs_a_person_exits_with_3(cli: Cli, server: Server) -> None:
    """Waiting for an approval, or for somebody after a halt, isn't something to wait for."""
    rollout = server.awaiting_approval()

    waiting = cli("watch", rollout.id)
    cli("halt", rollout.id)
    server.turns(rollout)
    halted = cli("watch", rollout.id)

    assert waiting.code == halted.code == 3
    assert "half needs 1 more approval" in waiting.out
    assert "operator can act" in halted.out


def test_a_return_that_has_brought_back_exits_with_0(cli: Cli, server: Server) -> None:
    """Going back was what was asked for."""
    rollout = server.baking(document=DOCUMENT.replace(", approve: 1 of team-release", ""))
    server.run(rollout, State.COMPLETED)
    told = cli("rollback", "shop", "--yes", "-o", "json").json()
    back = server.world.rollout(told["id"])
    server.run(back, State.ROLLED_BACK)

    watched = cli("watch", told["id"])

    assert watched.code == 0


def test_a_timeout_exits_with_8_and_changes_nothing(cli: Cli, server: Server) -> None:
    """Who leaves, leaves the rollout to go on."""
    rollout = server.baking()

    watched = cli("watch", rollout.id, "--timeout", "100ms")

    assert watched.code == 8
    assert "goes on" in watched.err
    assert server.world.rollout(rollout.id) == rollout


def test_until_a_state_exits_with_0_there(cli: Cli, server: Server) -> None:
    """A state that was waited for is a success, whatever it is."""
    rollout = server.baking()

    reached = cli("watch", rollout.id, "--until", "baking")
    wrong = cli("watch", rollout.id, "--until", "green")

    assert reached.code == 0
    assert wrong.code == 2


def test_changes_are_told_one_a_line_as_they_happen(cli: Cli, server: Server) -> None:
    """Off a terminal there is one line per change, in order, and the outcome last."""
    rollout = server.baking()

    def harm() -> None:
        server.run(rollout, State.ROLLED_BACK, failing={Arm.CANDIDATE: 0.5})

    worker = server.later(harm)
    watched = cli("watch", rollout.id, "--timeout", "2m")
    worker.join()

    lines = watched.out.splitlines()
    assert watched.code == 5
    numbers = [int(line.split("d-")[1].split()[0]) for line in lines if "  d-" in line]
    assert numbers == sorted(numbers)
    assert "rolled back" in lines[-2]
    assert "harm proven" in lines[-1]
    assert "\x1b" not in watched.out


def test_a_state_that_was_left_again_counts_as_reached(cli: Cli, server: Server) -> None:
    """`--until` sees states by the record, not by looking at the right moment."""
    rollout = server.baking()

    def harm() -> None:
        server.run(rollout, State.ROLLED_BACK, failing={Arm.CANDIDATE: 0.5})

    worker = server.later(harm)
    watched = cli("watch", rollout.id, "--until", "halted", "--timeout", "2m")
    worker.join()

    assert watched.code == 0


def test_jsonl_is_one_document_per_change(cli: Cli, server: Server) -> None:
    """Scripts get the rollout at once, then each event with the rollout after it."""
    rollout = server.baking()

    def harm() -> None:
        server.run(rollout, State.ROLLED_BACK, failing={Arm.CANDIDATE: 0.5})

    worker = server.later(harm)
    watched = cli("watch", rollout.id, "-o", "jsonl", "--timeout", "2m")
    worker.join()

    documents = [json.loads(line) for line in watched.out.splitlines()]
    assert {one["schema_version"] for one in documents} == {1}
    assert documents[0]["event"] is None
    assert documents[-1]["event"]["state_after"] == "rolled_back"
    assert documents[-1]["rollout"]["state"] == "rolled_back"


def test_start_and_watch_in_one(cli: Cli, server: Server, shop: Path) -> None:
    """`start --watch` ends as watch does."""
    server.installed()

    watched = cli("start", "--change", "code=1.1.0", "--watch", "--timeout", "100ms")

    assert watched.code == 8
    assert "started: shop code 1.1.0" in watched.err


def test_an_approval_elsewhere_lets_the_watch_go_on(cli: Cli, server: Server) -> None:
    """After the approval there is nothing that needs a person: the watch waits for the end."""
    rollout = server.awaiting_approval()
    cli("approve", rollout.id)
    moved = server.do(
        server.world.run(
            rollout.id, until=lambda now: now.waiting_on.reason is not ReasonCode.APPROVAL
        )
    )

    watched = cli("watch", moved.id, "--timeout", "100ms")

    assert watched.code == 8
