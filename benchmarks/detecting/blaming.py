"""What blame is held to: the right one is named first, and nobody when nothing is wrong."""

import detection_blame

from detecting import bounds
from detecting.bounds import Bound

ALPHA = 0.01
TOP_LIMIT = 0.98


def measure(worlds: int, seed: int) -> list[Bound]:
    """Return the bounds of blame over so many worlds with a culprit and as many without."""
    guilty = detection_blame.run(worlds, alpha=ALPHA, harmful=True, seed=seed)
    quiet = detection_blame.run(worlds, alpha=ALPHA, harmful=False, seed=seed + 1)
    setting = f"{detection_blame.ROLLOUTS} rollouts on {detection_blame.HOSTS} hosts"
    return [
        Bound(
            name=(
                f"blame: culprit of {setting} named first "
                f"(median {guilty.median_minutes:.0f} min after its first host)"
            ),
            measured=guilty.right / worlds,
            limit=TOP_LIMIT,
            at_least=True,
        ),
        bounds.rate_at_most(
            f"blame: somebody of {setting} named when nothing is wrong, alpha {ALPHA:g}",
            quiet.named / worlds,
            ALPHA,
            worlds,
        ),
    ]
