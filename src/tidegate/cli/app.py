"""
The command line: which commands there are. Each is in a file of its own and talks to the server by HTTP.

Verbs of the day stand at the top, nouns with the rest below. Nothing is decided here.
"""

import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version as installed_version
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from tidegate.cli import (
    access,
    alarm,
    approval,
    auth,
    debt,
    emergency,
    exit_codes,
    freeze,
    gate,
    ledger,
    policy,
    postmortem,
    rollout,
    server,
    service,
    stop,
)
from tidegate.cli.approve import approve
from tidegate.cli.completion import PROGRAM, completion
from tidegate.cli.halt import halt
from tidegate.cli.init import init
from tidegate.cli.output import Format, printer
from tidegate.cli.plan import plan
from tidegate.cli.reject import reject
from tidegate.cli.report import report
from tidegate.cli.resume import resume
from tidegate.cli.rollback import rollback
from tidegate.cli.session import with_session
from tidegate.cli.simulate import simulate
from tidegate.cli.start import start
from tidegate.cli.status import status
from tidegate.cli.validate import validate
from tidegate.cli.version import version
from tidegate.cli.watch import watch
from tidegate.cli.why import why
from tidegate.errors import TidegateError

_VERBS: Final[Sequence[Callable[..., Any]]] = (
    init,
    validate,
    plan,
    simulate,
    start,
    watch,
    status,
    why,
    halt,
    resume,
    rollback,
    approve,
    reject,
    report,
)
LAB: Final = "lab"


class _Root(TyperGroup):
    """The commands, of which the lab is loaded only when it is asked for: it brings all it's made of."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands."""
        return [*super().list_commands(ctx), LAB]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of that name, None when there is none."""
        if cmd_name != LAB:
            return super().get_command(ctx, cmd_name)
        from tidegate.cli import lab

        command = typer.main.get_command(lab.app)
        command.name = LAB
        return command


app = typer.Typer(
    name=PROGRAM,
    cls=_Root,
    help="Moves any change to production safely: a few first, proof before more, back at once when"
    " it harms.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"{PROGRAM} {installed_version(PROGRAM)}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    pass


for _verb in _VERBS:
    app.command(_verb.__name__)(with_session(_verb))
app.add_typer(postmortem.app, name="postmortem")
app.add_typer(rollout.app, name="rollout")
app.add_typer(service.app, name="service")
app.add_typer(alarm.app, name="alarm")
app.add_typer(stop.app, name="stop")
app.add_typer(freeze.app, name="freeze")
app.add_typer(auth.app, name="auth")
app.add_typer(access.app, name="access")
app.add_typer(approval.app, name="approval")
app.add_typer(ledger.app, name="ledger")
app.add_typer(gate.app, name="gate")
app.add_typer(emergency.app, name="emergency")
app.add_typer(debt.app, name="debt")
app.add_typer(policy.app, name="policy")
app.add_typer(server.app, name="server")
app.command("completion")(completion)
app.command("version")(with_session(version))


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    try:
        app(args=list(arguments), prog_name=PROGRAM)
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else exit_codes.ERROR
    except TidegateError as exc:
        printer(Format.TABLE, no_color=False).error(exc)
        return exc.exit_code
    except BrokenPipeError:
        # Whoever read our output has enough. Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exit_codes.ERROR
    return exit_codes.DONE


if __name__ == "__main__":
    main()
