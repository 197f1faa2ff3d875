"""
The colours of chart lines, computed from the style: told apart by people who don't see all of them.

Colour vision is simulated by the matrices of Machado, Oliveira & Fernandes 2009 (IEEE TVCG 15(6)) at full
severity; differences are those of CIE 1976 L*a*b*, in which about 2.3 is just noticed.
"""

import itertools
import re
from importlib import resources
from typing import Final

import pytest

CLEARLY_APART: Final = 20.0

VISIONS: Final = {
    "all colours": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "no red": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "no green": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "no blue": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}

LINES: Final = ("series-candidate", "series-baseline", "series-bound")


def token(name: str, theme: str) -> str:
    """Return the colour of a token in *theme*, as the style has it."""
    style = resources.files("tidegate.api.pages").joinpath("assets/css/tokens.css").read_text()
    found = re.search(rf"--{name}: light-dark\((#\w{{6}}), (#\w{{6}})\)", style)
    assert found is not None, name
    return found[1 if theme == "light" else 2]


def linear(colour: str) -> list[float]:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]


def lab(rgb: list[float]) -> tuple[float, float, float]:
    red, green, blue = (min(1.0, max(0.0, one)) for one in rgb)
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (one ** (1 / 3) if one > 0.008856 else 7.787 * one + 16 / 116 for one in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def apart(left: str, right: str, vision: str) -> float:
    """Return how far apart two colours are seen."""
    seen = [
        lab(
            [
                sum(a * b for a, b in zip(row, linear(colour), strict=True))
                for row in VISIONS[vision]
            ]
        )
        for colour in (left, right)
    ]
    return float(sum((a - b) ** 2 for a, b in zip(*seen, strict=True)) ** 0.5)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("vision", VISIONS)
def test_lines_are_told_apart_by_everybody(vision: str, theme: str) -> None:
    """Every line from every other, also by whoever lacks a kind of cone."""
    for left, right in itertools.combinations(LINES, 2):
        distance = apart(token(left, theme), token(right, theme), vision)

        assert distance >= CLEARLY_APART, f"{left} and {right}: {distance:.1f}"


def test_a_palette_of_red_and_green_would_be_found() -> None:
    """The check can fail: the colours that everybody warns of are too near without green."""
    assert apart("#b8562c", "#7a7a1e", "no green") < CLEARLY_APART
    assert apart("#b8562c", "#7a7a1e", "all colours") > CLEARLY_APART


def test_equal_colours_are_no_distance_apart() -> None:
    """The measure is zero for the same, and large for black and white."""
    assert apart("#123456", "#123456", "no red") == 0.0
    assert apart("#000000", "#ffffff", "all colours") == pytest.approx(100.0, abs=0.5)
