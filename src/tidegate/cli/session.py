"""
What every command has in common: its options, its printer, its conversation with the server.

`with_session` adds the shared options to a command, so that they may stand after it, where people write
them. Nothing is connected before a command asks for it.
"""

import inspect
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated, Any, Concatenate, Final, ParamSpec

import typer

from tidegate.cli.client import Client
from tidegate.cli.output import Format, Printer, harmless, printer
from tidegate.cli.server_file import find_server
from tidegate.cli.text.times import TimeFormat
from tidegate.errors import InvalidRequestError, TidegateError

Output = Annotated[
    str,
    typer.Option("-o", "--output", help="table, wide, json, jsonl, yaml or name."),
]
Url = Annotated[
    str | None,
    typer.Option(
        envvar="TIDEGATE_URL", help="The server. Default: the one that runs as this user."
    ),
]
Token = Annotated[
    str | None,
    typer.Option(envvar="TIDEGATE_TOKEN", help="Its token. Default: the one in the state folder."),
]
NoColor = Annotated[
    bool,
    typer.Option("--no-color", help="No colours (also: NO_COLOR=1)."),
]
Times = Annotated[
    TimeFormat,
    typer.Option("--time-format", help="relative, iso or raw: how instants are written in text."),
]
_SHARED: Final[dict[str, tuple[Any, object]]] = {
    "output": (Output, Format.TABLE.value),
    "url": (Url, None),
    "token": (Token, None),
    "no_color": (NoColor, False),
    "time_format": (Times, TimeFormat.RELATIVE),
}

Options = ParamSpec("Options")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One call of the command line."""

    printer: Printer
    url: str | None
    token: str | None
    times: TimeFormat

    def connect(self) -> AbstractContextManager[Client]:
        """Return a conversation with the server. Raises as `find_server` does."""
        return Client(find_server(self.url, self.token))

    @property
    def may_ask(self) -> bool:
        """Whether there is a person to ask: both ends of the question are terminals."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def confirm(self, question: str, *, yes: bool) -> None:
        """
        Return when the person agrees, at once with *yes*.

        Raises:
            InvalidRequestError: nobody can be asked, or they said no.
        """
        if yes:
            return
        if not self.may_ask:
            raise InvalidRequestError(
                "nobody can be asked here", hint="say --yes to do it without a question"
            )
        self.printer.err.print(harmless(f"{question} [y/N] "), end="", highlight=False)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise InvalidRequestError("nothing was done", hint="you said no")


def with_session(
    run: Callable[Concatenate[Session, Options], int | None],
) -> Callable[..., None]:
    """
    Return *run* as a command that has the shared options and makes its session from them.

    What *run* returns is the exit code, None for 0. A command with an `output` of its own keeps it.
    """
    inner = inspect.signature(run, eval_str=True)
    own = list(inner.parameters.values())[1:]
    names = {parameter.name for parameter in own}
    has_output = "output" in names
    shared = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
        )
        for name, (annotation, default) in _SHARED.items()
        if name not in names
    ]

    def command(**given: Any) -> None:
        output = given["output"] if has_output else given.pop("output")
        printing = printer(_format(output), no_color=given.pop("no_color"))
        session = Session(
            printer=printing,
            url=given.pop("url"),
            token=given.pop("token"),
            times=given.pop("time_format"),
        )
        try:
            if not has_output and not is_format(output):
                raise InvalidRequestError(
                    f"no output {output!r}",
                    hint=f"it can be: {', '.join(one.value for one in Format)}",
                )
            code = run(session, **given)  # type: ignore[call-arg]
        except TidegateError as exc:
            printing.error(exc)
            raise typer.Exit(exc.exit_code) from None
        raise typer.Exit(code or 0)

    every = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + shared
    command.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in every}
    command.__name__, command.__doc__ = run.__name__, run.__doc__
    return command


def is_format(output: str) -> bool:
    """Return whether *output* names a format."""
    return output in {one.value for one in Format}


def _format(output: str) -> Format:
    return Format(output) if is_format(output) else Format.TABLE
