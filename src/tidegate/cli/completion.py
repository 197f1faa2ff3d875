"""`tidegate completion`: the script that lets a shell complete commands and options."""

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]

PROGRAM = "tidegate"
VARIABLE = "_TIDEGATE_COMPLETE"


class Shell(StrEnum):
    """Shells that can be completed in."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


def completion(
    shell: Annotated[Shell, typer.Argument(help="bash, zsh, fish, powershell.")],
) -> None:
    """Print the completion script of a shell: `eval "$(tidegate completion bash)"`."""
    script = get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell.value)
    typer.echo(script)
