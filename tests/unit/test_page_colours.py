"""The colours of the pages can be told apart by people who see little contrast, in both themes."""

import re
from pathlib import Path

import pytest

CSS = Path(__file__).parents[2] / "src" / "tidegate" / "api" / "pages" / "assets" / "css"
TOKENS = (CSS / "tokens.css").read_text(encoding="utf-8")
OTHERS = sorted(
    # Paper is white, whatever the theme.
    path
    for path in CSS.glob("*.css")
    if path.name not in ("tokens.css", "print.css")
)

COLOUR = re.compile(r"--([a-z-]+): (?:light-dark\((#\w{6}), (#\w{6})\)|(#\w{6}));")
NAMED_COLOUR = re.compile(
    r"#[0-9a-fA-F]{3,8}\b|\b(?:rgba?(?!\(0 0 0 / )|hsla?|hwb|lab|lch|oklab|oklch)\(|"
    r"(?<=[ :])(?:white|black|red|green|blue|yellow|orange|gr[ae]y|purple|silver)"
    r"(?![\w-])"
)
"""
A colour that is written out. `color-mix` of tokens is none, neither is `transparent`, nor is black that
lets through: a shade of whatever is below.
"""

PAGE = ("paper", "raised", "sunken")
STATES = ("idle", "now", "good", "hold", "bad", "back")

TEXT_ON = {
    "ink": (*PAGE, *(f"{state}-ground" for state in STATES)),
    "soft": PAGE,
    "accent": PAGE,
    "on-accent": ("accent",),
    "on-danger": ("danger",),
    **{state: (*PAGE, f"{state}-ground") for state in STATES},
}
"""What is written in a colour, and on which grounds: 4.5:1 (WCAG 2.2, 1.4.3)."""

SHAPE_ON = {
    "edge": PAGE,
    "danger": ("paper", "raised"),
    "series-candidate": PAGE,
    "series-baseline": PAGE,
    "series-bound": PAGE,
}
"""What a shape is drawn in that means something: 3:1 (WCAG 2.2, 1.4.11)."""

DIVIDERS = frozenset({"line"})
"""Lines between things that are told apart by their place already."""

THEMES = ("light", "dark")


def colours() -> dict[str, tuple[str, str]]:
    """Return the light and the dark value of each colour, by name."""
    return {
        name: (light or both, dark or both) for name, light, dark, both in COLOUR.findall(TOKENS)
    }


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21, as WCAG 2.2 defines it."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("wanted", "pairs"), [(4.5, TEXT_ON), (3.0, SHAPE_ON)], ids=["text", "shapes"]
)
def test_everything_can_be_told_from_its_ground(
    theme: str, wanted: float, pairs: dict[str, tuple[str, ...]]
) -> None:
    """Text has 4.5:1 and shapes 3:1 against every ground that they stand on."""
    known = {name: values[THEMES.index(theme)] for name, values in colours().items()}

    weak = [
        f"{name} on {ground}: {ratio:.2f}"
        for name, grounds in pairs.items()
        for ground in grounds
        if (ratio := contrast(known[name], known[ground])) < wanted
    ]

    assert weak == []


def test_every_colour_has_a_place_in_the_tables_above() -> None:
    """A new colour says what it is for, and is then checked."""
    grounds = {one for found in (TEXT_ON, SHAPE_ON) for names in found.values() for one in names}

    assert set(colours()) == grounds | set(TEXT_ON) | set(SHAPE_ON) | DIVIDERS


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.name)
def test_only_the_tokens_name_colours(path: Path) -> None:
    """A colour that is written elsewhere would have one theme, and no check."""
    rules = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    values = [line for line in rules.splitlines() if ":" in line]

    assert [line for line in values if NAMED_COLOUR.search(line.partition("{")[2] or line)] == []


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#0000ff", "#0000ff", 1.0)],
)
def test_contrast_is_what_the_standard_says(one: str, other: str, ratio: float) -> None:
    """Known answers: black on white, the grey that just fails, a colour on itself."""
    assert contrast(one, other) == pytest.approx(ratio, abs=0.01)


@pytest.mark.parametrize("line", ["color: #fff;", "color: rgb(0 0 0);", "background: white;"])
def test_a_colour_that_is_written_out_is_found(line: str) -> None:
    """The check above could fail."""
    assert NAMED_COLOUR.search(line)


def _luminance(colour: str) -> float:
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (
        one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
