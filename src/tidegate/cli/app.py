"""
The command line itself: it finds the command that is meant and runs it.

Nothing is decided here, and no command is imported: `commands` says which there are and loads the one
that is called.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from typer.completion import (  # type: ignore[attr-defined]
    completion_init,
    install_callback,
    show_callback,
)
from typer.core import TyperCommand, TyperGroup

from tidegate.cli import commands, exit_codes
from tidegate.cli.completion import PROGRAM
from tidegate.errors import TidegateError

HELP_COLUMNS: Final = 100
"""The most that help is wide, where the terminal is."""


class _Root(TyperGroup):
    """All commands by their line of the overview; the one that is called is loaded then."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        for name, line in commands.OVERVIEW.items():
            self.add_command(TyperCommand(name, help=line))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the overview. Lines are wrapped here, and not cut as those of a noun's commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(commands.OVERVIEW.items()))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name, the command itself and what is left of *args*, for a call or its completion."""
        name, known, rest = super().resolve_command(ctx, args)
        return name, known and commands.load(str(name)), rest


app = typer.Typer(
    name=PROGRAM,
    cls=_Root,
    help="Moves any change to production safely: a few first, proof before more, back at once when"
    " it harms.",
    no_args_is_help=True,
    rich_markup_mode=commands.HELP_MARKUP,
    # Both options stand at `_root`, as flags that are false: those that would be added here have no
    # value, and what reads a missing value takes longer to load than all the rest.
    add_completion=False,
    context_settings={"max_content_width": HELP_COLUMNS},
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        # It reads the metadata of what is installed, by a parser that no other command needs.
        from importlib.metadata import version

        print(f"{PROGRAM} {version(PROGRAM)}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
    _install: Annotated[
        bool,
        typer.Option(
            "--install-completion",
            help="Install completion for the current shell.",
            callback=install_callback,
        ),
    ] = False,
    _show: Annotated[
        bool,
        typer.Option(
            "--show-completion",
            help="Show completion for the current shell, to copy it or customize the installation.",
            callback=show_callback,
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    # It knows how each shell asks for completions.
    completion_init()
    try:
        app(args=list(arguments), prog_name=PROGRAM)
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else exit_codes.ERROR
    except TidegateError as exc:
        from tidegate.cli.output import Format, printer

        printer(Format.TABLE, no_color=False).error(exc)
        return exc.exit_code
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.ERROR
    return exit_codes.DONE


if __name__ == "__main__":
    main()
