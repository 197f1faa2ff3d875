"""What the benchmark prints: a table for people, JSON for machines."""

import json
from collections.abc import Sequence
from typing import Any

from detecting.bounds import Bound


def as_json(rows: Sequence[dict[str, Any]], held: Sequence[Bound], facts: dict[str, Any]) -> str:
    """Return rows, bounds and what they were measured with."""
    document = {**facts, "rows": list(rows), "bounds": [bound.to_dict() for bound in held]}
    return json.dumps(document, indent=2)


def as_table(rows: Sequence[dict[str, Any]], held: Sequence[Bound]) -> str:
    """Return rows grouped by scenario, then the bounds."""
    lines = []
    scenario = None
    for row in rows:
        if row["scenario"] != scenario:
            scenario = row["scenario"]
            lines += ["", scenario, _HEADINGS]
        lines.append(
            f"  {row['rule']:33} {row['alpha']:6g} {row['false_halt']:7.3f} "
            f"{row['false_halt_se']:6.3f} {_ratio(row):>14} "
            f"{_minutes(row['median_delay_s']):>10} {row['missed']:7.3f}"
        )
    lines += ["", f"{'holds':6} {'measured':>13} {'limit':>13}  promise"]
    for bound in held:
        sign = ">=" if bound.at_least else "<="
        kept = "yes" if bound.holds else "NO"
        lines.append(f"{kept:6} {bound.measured:13.4g} {sign} {bound.limit:10.4g}  {bound.name}")
    return "\n".join(lines)


_HEADINGS = (
    f"  {'rule':33} {'alpha':>6} {'false':>7} {'se':>6} {'information':>14} "
    f"{'delay':>10} {'missed':>7}"
)


def _ratio(row: dict[str, Any]) -> str:
    return f"{row['information_over_bound']:.2f} +-{row['information_over_bound_se']:.2f}"


def _minutes(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds / 60.0:.1f} min"
