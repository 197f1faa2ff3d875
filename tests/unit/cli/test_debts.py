"""Debts and reports of emergencies on the command line."""

from dataclasses import replace
from datetime import timedelta

from served_world import Cli, Server

from tidegate.domain.emergency.debts import new_debt
from tidegate.domain.quantities import RolloutId
from tidegate.testing.emergencies import a_gate, an_emergency
from tidegate.usecases.emergency_records import EMERGENCIES
from tidegate.usecases.shelves import DEBTS


def owing(server: Server) -> str:
    """Put an emergency with one overdue debt on record; return its id."""
    emergency = an_emergency(declared_by="zoe", declared_person="zoe")
    debt = new_debt(
        emergency,
        a_gate(),
        rollout_id=RolloutId("r-1"),
        owner="team-shop",
        now=server.world.clock.now(),
    )
    debt = replace(debt, rollout_id=None, due_at=server.world.clock.now() - timedelta(minutes=5))
    with server.world.store.begin() as transaction:
        EMERGENCIES.put(transaction, emergency)
        DEBTS.put(transaction, debt)
    return emergency.id


def test_lists_what_is_owed_and_takes_two_words_to_give_it_up(cli: Cli, server: Server) -> None:
    """The table says how late it is and whose; one word isn't enough, and the list says so."""
    emergency = owing(server)

    listed = cli("debt", "list")
    silent = cli("debt", "waive", f"{emergency}-tests")
    once = cli("debt", "waive", f"{emergency}-tests", "--reason", "scanned by hand")
    twice = cli("debt", "waive", f"{emergency}-tests", "--reason", "scanned by hand")

    assert "overdue" in listed.out
    assert "team-shop" in listed.out
    assert silent.code == 2
    assert (once.code, "A second person has to say so" in once.out) == (0, True)
    assert twice.code == 6
    assert cli("debt", "waive", "nothing", "--reason", "x").code == 2


def test_reports_and_refuses_to_close(cli: Cli, server: Server) -> None:
    """The report says what is owed; it can't be closed before that is paid (exit code 6)."""
    emergency = owing(server)

    report = cli("emergency", "report", emergency)
    closed = cli("emergency", "close", emergency, "--reason", "over")

    assert report.code == 0, report.err
    assert "Debts:" in report.out and f"{emergency}-tests" in report.out
    assert (closed.code, "still owes tests (open)" in closed.err) == (6, True)
