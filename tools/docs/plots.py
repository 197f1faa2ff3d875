"""
Draws the pictures of `docs/explanation/evidence.md`, the same to the byte from the same figures.

Two are made of the benchmark's figures (`benchmarks/detection.py -o json`), which lie beside the
pictures; two are bakes that are simulated here, with the benchmark's worlds and the product's tests.
No picture has a background: its lines must be seen on a light and on a dark page.

Run: `python tools/docs/plots.py`, with matplotlib, which only this script needs.
"""

import json
import math
import sys
from itertools import islice
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

ROOT: Final = Path(__file__).parents[2]
IMAGES: Final = ROOT / "docs" / "explanation" / "images"
FIGURES: Final = IMAGES / "detection.json"

sys.path.insert(0, str(ROOT / "benchmarks"))

from detecting.streams import TICKS_PER_HOUR, Effect, Service, days  # noqa: E402

from tidegate.stats import bounds, difference, harm  # noqa: E402

INK, FAINT = "#7b808a", "#9aa0ab"
GOOD, BAD, OTHER, THIRD = "#2f9e6e", "#d9534f", "#4a86d8", "#b8860b"
"""Of medium brightness: as far from white as from a dark page."""

EVERY_TICKS = 12
"""A line gets a point every two minutes: more can't be seen."""

PROOF_HOURS = 6

ALPHA = 0.05
RULES: Final = {
    "tidegate": ("Tidegate", GOOD, "o"),
    "z-test, every tick": ("z-test, every 10 s", BAD, "s"),
    "kayenta mann-whitney, hourly": ("Kayenta, hourly", OTHER, "^"),
    "flagger success rate 99 %": ("Flagger example, 99 %", THIRD, "D"),
    "argo-rollouts success rate 95 %": ("Argo Rollouts example, 95 %", INK, "v"),
}
"""As the benchmark names them: label, colour, mark."""


def main() -> None:
    """Draw all pictures."""
    mpl.rcParams.update(
        {
            "svg.hashsalt": "tidegate",
            "svg.fonttype": "none",
            "font.family": "sans-serif",
            "font.size": 11,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": FAINT,
            "xtick.color": INK,
            "ytick.color": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )
    rows = json.loads(FIGURES.read_text(encoding="utf-8"))["rows"]
    save(bakes(), "e-values.svg")
    save(ruled_out(), "ruled-out.svg")
    save(false_halts(rows), "false-halts.svg")
    save(delays(rows), "delays.svg")


def save(figure: Figure, name: str) -> None:
    """Write *figure* without anything that changes from run to run."""
    path = IMAGES / name
    figure.savefig(path, transparent=True, bbox_inches="tight", metadata={"Date": None})
    # What matplotlib leaves at line ends would be found by every tool that looks at the tree.
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join(line.rstrip() for line in lines) + "\n", encoding="utf-8")


def bakes() -> Figure:
    """Return e-values over six hours: harmless candidates wander about 1, harmful ones climb."""
    figure, axes = _figure(7.2, 3.4)
    service = Service(requests_per_second=100.0, rate=0.001)
    for ratio, colour, runs, seed in ((1.0, GOOD, 24, 3), (3.0, BAD, 6, 4)):
        state, levels = harm.new(runs), [np.zeros(runs)]
        for tick in islice(days(service, Effect(ratio=ratio), runs, seed), 6 * TICKS_PER_HOUR):
            total = tick.candidate_bad + tick.baseline_bad
            share = tick.candidate_total / (tick.candidate_total + tick.baseline_total)
            state = harm.update(state, tick.candidate_bad, total, share, starting=tick.starting)
            levels.append(harm.log_e_value(state) / math.log(10.0))
        every = np.array(levels)[::EVERY_TICKS]
        hours = np.arange(len(every)) * EVERY_TICKS / TICKS_PER_HOUR
        for run in range(runs):
            axes.plot(hours, every[:, run], color=colour, linewidth=0.8, alpha=0.7)
    for level, words in ((20.0, "held: 20 to 1"), (200.0, "halted: 200 to 1")):
        axes.axhline(math.log10(level), color=INK, linewidth=1.0, linestyle="--")
        axes.text(6.0, math.log10(level) + 0.08, words, ha="right", va="bottom")
    axes.text(2.2, 4.4, "three times the errors", color=BAD)
    axes.text(2.2, -1.45, "no harm", color=GOOD)
    axes.set(xlim=(0, 6), ylim=(-1.7, 5.2), xlabel="hours of bake", ylabel="evidence of harm")
    axes.set_yticks(
        [-1, 0, 1, 2, 3, 4, 5],
        ["0.1", "1", "10", "100", "1,000", "10,000", "100,000"],
    )
    return figure


def ruled_out() -> Figure:
    """Return what healthy bakes have ruled out so far at two shares, and when they are proven."""
    figure, axes = _figure(7.2, 3.2)
    tolerance, runs = 0.001, 41
    for share, colour, seed in ((0.01, OTHER, 11), (0.05, GOOD, 12)):
        service = Service(requests_per_second=100.0, rate=0.001, shares=(share,), drift=False)
        bound, proof = bounds.new_excess(runs), difference.new(runs, tolerance=tolerance)
        middles: list[float] = []
        proven_after: float | None = None
        for tick in islice(days(service, Effect(), runs, seed), PROOF_HOURS * TICKS_PER_HOUR):
            arms = (
                tick.candidate_bad,
                tick.candidate_total,
                tick.baseline_bad,
                tick.baseline_total,
            )
            bound = bounds.update_excess(bound, *arms)
            proof = difference.update(proof, *arms)
            middles.append(100.0 * float(np.median(bounds.highest_excess(bound, ALPHA))))
            if proven_after is None and np.median(difference.log_e_value(proof)) >= math.log(20.0):
                proven_after = len(middles) / TICKS_PER_HOUR
                axes.plot(proven_after, middles[-1], "o", color=colour, markersize=8)
                axes.annotate(
                    "PROVEN",
                    (proven_after, middles[-1]),
                    xytext=(6, 8),
                    textcoords="offset points",
                    color=colour,
                )
        hours = (np.arange(len(middles)) + 1) / TICKS_PER_HOUR
        axes.plot(hours, middles, color=colour, label=f"{100 * share:g} % of the traffic")
    axes.axhline(100.0 * tolerance, color=INK, linewidth=1.0, linestyle="--")
    axes.text(PROOF_HOURS, 103.0 * tolerance, "tolerated: +0.1 points", ha="right", va="bottom")
    axes.set(
        xlim=(0, PROOF_HOURS),
        ylim=(0.02, 10.0),
        yscale="log",
        xlabel="hours of bake",
        ylabel="more than this is ruled out\n(points of errors)",
    )
    axes.set_yticks([0.1, 1.0, 10.0], ["0.1", "1", "10"])
    axes.legend(frameon=False, loc="upper right", labelcolor=INK)
    return figure


def false_halts(rows: list[dict[str, Any]]) -> Figure:
    """Return how often each rule halted a harmless candidate in a day, under four kinds of noise."""
    figure, axes = _figure(7.2, 3.4)
    noises = {
        "even traffic": "errors 0.1 to 0.3 %, iid, 100 rps, 5 %",
        "time of day,\nbrown-outs": "errors 0.1 to 0.3 %, drift, 100 rps, 5 %",
        "and users who\nfail repeatedly": "errors 0.1 to 0.3 %, clustered, 100 rps, 5 %",
        "and a ramp\n1/5/25/50 %": "errors 0.1 to 0.3 %, ramp 1/5/25/50 %, 100 rps",
    }
    for number, (rule, (label, colour, mark)) in enumerate(RULES.items()):
        places, rates, errors = [], [], []
        for place, scenario in enumerate(noises.values()):
            row = _find(rows, rule, scenario, f"{scenario}, by affected users")
            places.append(place + 0.13 * (number - 2))
            rates.append(100.0 * row["false_halt"])
            errors.append(200.0 * row["false_halt_se"])
        axes.errorbar(places, rates, yerr=errors, fmt=mark, color=colour, label=label, markersize=6)
    axes.axhline(100.0 * ALPHA, color=INK, linewidth=1.0, linestyle="--")
    axes.text(3.42, 100.0 * ALPHA + 1.5, "promised: 5 %", ha="right")
    axes.set_xticks(range(len(noises)), list(noises))
    axes.set(xlim=(-0.45, 3.45), ylim=(-2, 103), ylabel="harmless candidates\nhalted in a day, %")
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), labelcolor=INK)
    return figure


def delays(rows: list[dict[str, Any]]) -> Figure:
    """Return for each rule how long harm goes on, against how often it cries wolf."""
    figure, axes = _figure(7.2, 3.4)
    scenario = "errors 0.1 to 0.3 %, drift, 100 rps, 5 %"
    day_minutes = 24 * 60
    for rule, (label, colour, mark) in RULES.items():
        row = _find(rows, rule, scenario)
        seconds = row["median_delay_s"]
        minutes = day_minutes if seconds is None else seconds / 60.0
        axes.plot(100.0 * row["false_halt"], minutes, mark, color=colour, markersize=9)
        words = f"{label}: never" if seconds is None else f"{label}: {minutes:.0f} min"
        right = row["false_halt"] > 0.5
        axes.annotate(
            words,
            (100.0 * row["false_halt"], minutes),
            xytext=(-10 if right else 10, -4),
            textcoords="offset points",
            ha="right" if right else "left",
            color=colour,
        )
    axes.axvline(100.0 * ALPHA, color=INK, linewidth=1.0, linestyle="--")
    axes.set_yscale("log")
    axes.set_yticks([10, 30, 60, 240, 1440], ["10 min", "30 min", "1 h", "4 h", "a day"])
    axes.minorticks_off()
    axes.set(
        xlim=(-3, 103),
        ylim=(7, 2200),
        xlabel="harmless candidates halted in a day, %",
        ylabel="time until three times\nthe errors are halted",
    )
    return figure


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height))
    return figure, figure.add_subplot()


def _find(rows: list[dict[str, Any]], rule: str, *scenarios: str) -> dict[str, Any]:
    for row in rows:
        if row["rule"] == rule and row["scenario"] in scenarios and row["alpha"] == ALPHA:
            return row
    raise SystemExit(f"{FIGURES} has no row for {rule} in {scenarios[0]}")


if __name__ == "__main__":
    main()
