"""
Printing: data on standard output in the format that was asked for, everything else on standard error.

JSON and YAML hold the API's own shapes with a `schema_version`; a field may be added, none is renamed
or given another meaning under the same number. Text is for people and may change.
"""

import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from tidegate.api.shapes.base import Shape
from tidegate.errors import TidegateError

SCHEMA_VERSION: Final = 1

_CONTROL: Final = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in (*range(0x20), *range(0x7F, 0xA0))
    if chr(code) not in "\n\t"
}


class Format(StrEnum):
    """How data is printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Printer:
    """Where things go and how. `out` is for data, `err` for everything else."""

    format: Format
    out: Console
    err: Console

    def show(
        self,
        data: Shape | Mapping[str, Any],
        *,
        text: Callable[[], Sequence[Text | str]],
        names: Sequence[str],
        rows: Sequence[Shape] | None = None,
    ) -> None:
        """
        Print *data* in the chosen format.

        Args:
            data: What json and yaml hold.
            text: Makes the lines for people; called only when they are printed.
            names: What `-o name` prints, one a line.
            rows: What `-o jsonl` prints one a line; *data* itself by default.
        """
        match self.format:
            case Format.JSON:
                self.write(json.dumps(versioned(data), indent=2, ensure_ascii=False))
            case Format.JSONL:
                for row in [data] if rows is None else rows:
                    self.write(json.dumps(versioned(row), ensure_ascii=False))
            case Format.YAML:
                self.write(yaml_text(versioned(data)).rstrip("\n"))
            case Format.NAME:
                for name in names:
                    self.write(name)
            case Format.TABLE | Format.WIDE:
                self.lines(text())

    def lines(self, lines: Sequence[Text | str]) -> None:
        """Print lines of text for people."""
        for line in lines:
            self.out.print(harmless(line), soft_wrap=True, highlight=False)

    def write(self, text: str) -> None:
        """Print *text* to the letter: no wrapping, no colour."""
        self.out.file.write(f"{text}\n")
        self.out.file.flush()

    def note(self, text: str) -> None:
        """Tell the person something that isn't data."""
        self.err.print(harmless(text), soft_wrap=True, highlight=False)

    def error(self, error: TidegateError) -> None:
        """Tell what went wrong and what to do now."""
        for text, style in ((error.message, "bold red"), (error.hint, "dim")):
            line = harmless(Text(text, style=style))
            self.err.print(line, soft_wrap=True, highlight=False)

    @property
    def is_wide(self) -> bool:
        """Whether tables show everything."""
        return self.format is Format.WIDE


def printer(output: Format, *, no_color: bool) -> Printer:
    """Return a printer for the terminal or pipe that this process has now."""
    # `NO_COLOR` is heeded by rich itself.
    color = {"no_color": True} if no_color else {}
    return Printer(
        format=output,
        out=Console(file=sys.stdout, **color),  # type: ignore[arg-type]
        err=Console(file=sys.stderr, **color),  # type: ignore[arg-type]
    )


def harmless(line: Text | str) -> Text:
    """
    Return *line* without characters that a terminal would obey.

    Words of people, of targets and of telemetry are printed; none of them may move the cursor, hide
    text or colour it.
    """
    text = line if isinstance(line, Text) else Text(line)
    plain = text.plain.translate(_CONTROL)
    if plain != text.plain:
        text = text.copy()
        text.plain = plain
    return text


def versioned(data: Shape | Mapping[str, Any]) -> dict[str, Any]:
    """Return *data* as JSON values with the version of its schema."""
    values = data.model_dump(mode="json") if isinstance(data, Shape) else dict(data)
    return {"schema_version": SCHEMA_VERSION, **values}


def yaml_text(value: object) -> str:
    """Return *value* (JSON values) as YAML."""
    # Few ask for YAML, and its writer takes as long to load as the rest of a short command.
    from ruamel.yaml import YAML

    writer = YAML(typ="safe")
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.width = 100
    stream = io.StringIO()
    writer.dump(value, stream)
    return stream.getvalue()
