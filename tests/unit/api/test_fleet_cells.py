"""One rollout across the fleet's targets: what its cells say in each state, and which columns there are."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tidegate.api.showing.fleet.cells import MOST_COLUMNS, Column, cells_of, columns_of
from tidegate.domain.plan.model import Phase
from tidegate.domain.rollout.machine import State
from tidegate.domain.rollout.model import PhasePass, Rehearsal, Rollout
from tidegate.testing.builders import (
    BASELINE,
    CANDIDATE,
    START,
    a_phase,
    a_placement,
    a_plan,
    a_rollout,
)

EU, US, AP = a_placement(target="eu"), a_placement(target="us"), a_placement(target="ap")


def a_phase_of(ring: str, weight_bps: int, *placements) -> Phase:
    return a_phase(ring, ring=ring, weight_bps=weight_bps, placements=placements)


PLAN = replace(
    a_plan(),
    phases=(
        a_phase_of("europe", 1_000, EU),
        a_phase_of("europe", 10_000, EU),
        a_phase_of("rest", 2_500, US),
        a_phase_of("rest", 10_000, US, AP),
    ),
)


def at_phase(index: int, state: State, **changes) -> Rollout:
    passed = PhasePass(phase_index=index - 1, attempt=1, at=START, certified=())
    return a_rollout(
        state=state,
        plan=PLAN,
        phase_index=index,
        passes=(passed,) if index else (),
        rehearsal=Rehearsal.PROVEN,
        **changes,
    )


def shown(rollout: Rollout) -> dict[str, str]:
    """Return what is read in each cell, with what is served."""
    return {
        column.target: cell.full.replace("\ufe0e", "") for column, cell in cells_of(rollout).items()
    }


@pytest.mark.parametrize(
    ("index", "state", "eu", "us", "ap"),
    [
        (0, State.PLANNED, "· 1.0.0", "· 1.0.0", "· 1.0.0"),
        (0, State.WAITING, "◇ 0% 1.0.0", "· 1.0.0", "· 1.0.0"),
        (0, State.APPLYING, "▷ 10% 1.1.0", "· 1.0.0", "· 1.0.0"),
        (0, State.BAKING, "▶ 10% 1.1.0", "· 1.0.0", "· 1.0.0"),
        (0, State.HELD, "‖ 10% 1.1.0", "· 1.0.0", "· 1.0.0"),
        (1, State.WAITING, "◇ 10% 1.1.0", "· 1.0.0", "· 1.0.0"),
        (2, State.BAKING, "✓ 1.1.0", "▶ 25% 1.1.0", "· 1.0.0"),
        (3, State.WAITING, "✓ 1.1.0", "◇ 25% 1.1.0", "◇ 0% 1.0.0"),
        (3, State.BAKING, "✓ 1.1.0", "▶ 100% 1.1.0", "▶ 100% 1.1.0"),
        (2, State.HALTED, "↶ 1.0.0", "↶ 1.0.0", "· 1.0.0"),
        (2, State.RECOVERING, "↶ 1.0.0", "↶ 1.0.0", "· 1.0.0"),
        (2, State.ROLLED_BACK, "↶ 1.0.0", "↶ 1.0.0", "· 1.0.0"),
        (3, State.COMPLETED, "✓ 1.1.0", "✓ 1.1.0", "✓ 1.1.0"),
        (0, State.ABANDONED, "· 1.0.0", "· 1.0.0", "· 1.0.0"),
        (0, State.SUPERSEDED, "· 1.0.0", "· 1.0.0", "· 1.0.0"),
    ],
)
def test_a_cell_says_how_far_it_is_and_what_is_served(
    index: int, state: State, eu: str, us: str, ap: str
) -> None:
    """A check mark is never shown where not all of the plan's exposure is allowed."""
    assert shown(at_phase(index, state)) == {"eu": eu, "us": us, "ap": ap}


def test_a_stop_that_must_prove_again_shows_nobody() -> None:
    """After a resume the phases are proven from nothing: what was passed before has no exposure."""
    again = replace(at_phase(1, State.WAITING), attempt=2)

    assert shown(again)["eu"] == "◇ 0% 1.0.0"


def test_what_moves_part_of_a_target_is_no_check_mark() -> None:
    """A later phase gives it the rest: until then it has part."""
    plan = replace(PLAN, phases=(PLAN.phases[0], PLAN.phases[2], PLAN.phases[1], PLAN.phases[3]))
    rollout = replace(at_phase(1, State.BAKING), plan=plan)

    assert shown(rollout)["eu"] == "◐ 10% 1.1.0"


def test_an_installation_and_a_return_serve_everyone() -> None:
    """There is nothing beside them: what they bring is all that is served."""
    install = replace(
        at_phase(0, State.BAKING),
        baselines=tuple((place, CANDIDATE) for place in (EU, US, AP)),
    )
    back = replace(at_phase(0, State.RECOVERING), is_return=True)

    assert shown(install)["eu"] == "▶ 100% 1.1.0"
    assert shown(back)["ap"] == "↩ 100% 1.1.0"
    assert shown(replace(back, state=State.ROLLED_BACK))["ap"] == "✓ 1.1.0"


def test_a_long_version_does_not_make_a_column_wide() -> None:
    """Its rollout's page has all of it."""
    long = replace(BASELINE, name="9a4f0c7be12d-nightly-with-everything")
    rollout = replace(at_phase(0, State.PLANNED), baselines=((EU, long), (US, long), (AP, long)))

    assert shown(rollout)["eu"] == "· 9a4f0c7be12…"


def test_columns_follow_the_rings_of_the_plans() -> None:
    """Rings as plans come to them, targets by name and number; ten after nine."""
    many = [a_placement(target=f"us-{number}") for number in (10, 9)]
    other = a_rollout(
        "r-2",
        service="mail",
        plan=replace(
            a_plan(), phases=(a_phase_of("europe", 500, EU), a_phase_of("rest", 500, *many))
        ),
    )

    found = columns_of([cells_of(at_phase(0, State.BAKING)), cells_of(other)])

    assert found == (
        Column("europe", "eu"),
        Column("rest", "ap"),
        Column("rest", "us"),
        Column("rest", "us-9"),
        Column("rest", "us-10"),
    )


def test_there_are_never_more_columns_than_a_matrix_can_have() -> None:
    """The targets that most rollouts move stay."""
    crowd = [a_placement(target=f"host-{number}") for number in range(2 * MOST_COLUMNS)]
    wide = a_rollout("r-2", plan=replace(a_plan(), phases=(a_phase_of("all", 500, *crowd, EU),)))
    narrow = a_rollout("r-3", plan=replace(a_plan(), phases=(a_phase_of("all", 500, EU),)))

    found = columns_of([cells_of(wide), cells_of(narrow)])

    assert len(found) == MOST_COLUMNS
    assert Column("all", "eu") in found


def test_time_alone_changes_no_cell() -> None:
    """Cells are of the record; a later look at the same record shows the same."""
    rollout = at_phase(2, State.BAKING)

    assert cells_of(replace(rollout, state_since=START + timedelta(hours=9))) == cells_of(rollout)
