from hypothesis import given
from hypothesis import strategies as st

from tidegate.domain.quantities import FULL_WEIGHT_BPS, NO_EXPOSURE, Exposure
from tidegate.drivers.component.file_members import candidate_members, exposure_of

NAMES = st.sets(st.text("abcdefgh", min_size=1, max_size=4), min_size=1, max_size=30)
WEIGHTS = st.integers(0, FULL_WEIGHT_BPS)


@given(members=NAMES, inside=NAMES, weights=st.tuples(WEIGHTS, WEIGHTS), internal=st.booleans())
def test_as_exposure_grows_nobody_moves_back(
    members: set[str], inside: set[str], weights: tuple[int, int], internal: bool
) -> None:
    """A wider exposure holds everyone of a narrower one."""
    low, high = sorted(weights)

    narrow = candidate_members(
        members, inside, Exposure(internal=internal, weight_bps=low), salt="x"
    )
    wide = candidate_members(members, inside, Exposure(internal=True, weight_bps=high), salt="x")

    assert narrow <= wide <= members


@given(members=NAMES, inside=NAMES, weight=WEIGHTS)
def test_a_share_is_never_more_than_asked_for(
    members: set[str], inside: set[str], weight: int
) -> None:
    """Rounded down to whole members: none at nothing, one at anything, all at everything."""
    chosen = candidate_members(
        members, inside, Exposure(internal=False, weight_bps=weight), salt="x"
    )

    ordinary = (members - inside) or members
    if weight == 0:
        assert not chosen
    elif weight == FULL_WEIGHT_BPS:
        assert chosen == members
    else:
        assert len(chosen) == 1 or len(chosen) * FULL_WEIGHT_BPS <= len(ordinary) * weight
        assert (len(chosen) + 1) * FULL_WEIGHT_BPS > len(ordinary) * weight
        assert len(chosen) < len(ordinary) or len(ordinary) == 1


@given(members=NAMES, inside=NAMES, serving=NAMES)
def test_exposure_is_nothing_only_when_nobody_serves_the_candidate(
    members: set[str], inside: set[str], serving: set[str]
) -> None:
    """A member that still serves the candidate can't be overlooked."""
    meeting = serving & members

    exposure = exposure_of(meeting, members, inside)

    assert (exposure == NO_EXPOSURE) == (not meeting)
