"""
`tidegate lab`: a small world on this machine to watch, break and mend. Runs its own server.

`up` is the default. The other commands talk to a lab that runs, found by its folder.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tidegate.errors import InvalidRequestError, LabError
from tidegate.lab.control import break_lab, end_lab, heal_lab, need_running_lab, running_lab
from tidegate.lab.faults import FAULT_PARAMETERS, Fault
from tidegate.lab.world import LabOptions

app = typer.Typer(
    help="A small world on this machine: a shop in several versions, a proxy, users, faults.",
    invoke_without_command=True,
    no_args_is_help=False,
)

StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir", help="The lab's folder. Default: tidegate/lab in the state folder."
    ),
]
Output = Annotated[str, typer.Option("--output", "-o", help="text or json.")]


def lab_dir(given: Path | None) -> Path:
    """Return the lab's folder: the one that was given, or the one of this user."""
    if given is not None:
        return given
    own = os.environ.get("TIDEGATE_STATE_DIR")
    if own:
        return Path(own) / "lab"
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "tidegate" / "lab"


@app.callback()
def lab(
    context: typer.Context,
    state_dir: StateDir = None,
    once: Annotated[
        bool, typer.Option("--once", help="End by itself after both rollouts, in under 3 minutes.")
    ] = False,
    output: Output = "text",
) -> None:
    """Run the lab (the same as `tidegate lab up`) unless a command is given."""
    if context.invoked_subcommand is None:
        _up(state_dir, once=once, output=output, port=0)


@app.command()
def up(
    state_dir: StateDir = None,
    once: Annotated[
        bool, typer.Option("--once", help="End by itself after both rollouts, in under 3 minutes.")
    ] = False,
    output: Output = "text",
    port: Annotated[int, typer.Option(help="The API's port; 0 takes a free one.")] = 0,
) -> None:
    """
    Start the lab: a good version goes out, a bad one is caught and put back; then it stays up.

    What it found is kept in its folder, as found.json.
    """
    _up(state_dir, once=once, output=output, port=port)


@app.command(name="break")
def break_(
    fault: Annotated[str, typer.Argument(help=", ".join(fault.value for fault in Fault))],
    parameter: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE of the fault, as errors=0.2; may be repeated."),
    ] = None,
    state_dir: StateDir = None,
    output: Output = "text",
) -> None:
    """Break the version that is being rolled out; when none is, start one that is broken."""
    _check_output(output)
    lab = need_running_lab(lab_dir(state_dir))
    done = break_lab(lab, fault, _parameters(parameter or []))
    if output == "json":
        print(json.dumps(asdict(done)))
        return
    print(f"shop {done.version} has {done.fault}   rollout {done.rollout}")
    print(f"watch it: tidegate watch {done.rollout} --url {lab.url} --token {lab.token}")


@app.command()
def heal(state_dir: StateDir = None) -> None:
    """Take every fault away."""
    heal_lab(need_running_lab(lab_dir(state_dir)))
    print("every fault is taken away")


@app.command()
def down(state_dir: StateDir = None) -> None:
    """End the lab and everything in it."""
    lab = running_lab(lab_dir(state_dir))
    if lab is None:
        print("no lab is running", file=sys.stderr)
        return
    end_lab(lab)
    print("the lab has ended")


def _up(state_dir: Path | None, *, once: bool, output: str, port: int) -> None:
    _check_output(output)
    folder = lab_dir(state_dir)
    already = running_lab(folder)
    if already is not None:
        raise LabError(
            f"a lab runs already: {already.url}",
            hint="end it with `tidegate lab down`, or give this one another folder: --state-dir DIR",
        )
    from tidegate.main.commands import run_lab

    raise typer.Exit(run_lab(LabOptions(state_dir=folder, once=once, output=output, port=port)))


def _check_output(output: str) -> None:
    if output not in ("text", "json"):
        raise InvalidRequestError(f"no output {output!r}", hint="say -o text or -o json")


def _parameters(given: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for pair in given:
        name, _, value = pair.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            known = sorted({key for keys in FAULT_PARAMETERS.values() for key in keys})
            raise InvalidRequestError(
                f"{pair!r} isn't NAME=NUMBER", hint=f"known parameters: {', '.join(known)}"
            ) from None
    return found
