"""
Pages of the reference that are made from the code of the command line, the API and the errors.

Write them with `python -m tidegate.cli.reference docs/reference`; a test fails when they are stale.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer

from tidegate.api.app import api_document
from tidegate.cli.app import app
from tidegate.cli.completion import PROGRAM
from tidegate.cli.exit_codes import MEANINGS, error_kinds
from tidegate.errors import TidegateError

CLI_PAGE: Final = "cli.md"
ERRORS_PAGE: Final = "errors.md"
API_PAGE: Final = "openapi.json"

_CLI_HEAD: Final = """\
# Command line

`tidegate` talks to a server by HTTP. Without `--url` it takes the server that runs as the same user,
from `server.json` and `token` in `$XDG_STATE_HOME/tidegate/` (or `TIDEGATE_STATE_DIR`). The token found
there is sent to this machine only.

Where a rollout or service is left out, `TIDEGATE_SERVICE` is taken, else the service of the nearest
`tidegate.yaml`, in this folder or above.

Data goes to standard output in the format of `-o`, everything else to standard error. `json`, `jsonl`
and `yaml` hold the shapes of the API with a `schema_version`; text is for people and may change. Off a
terminal nothing is asked: `rollback` and `rollout abandon` need `--yes` there, `halt` never asks.

## Exit codes

| code | meaning |
| --- | --- |
"""

_ERRORS_HEAD: Final = """\
# Errors

Every refusal says four things: what happened (a stable code), with which values, what to do now, and
whether to try again. The API answers with a problem document (RFC 9457), the command line with a
sentence, a hint and an exit code. Codes are never reused or changed; programs match on them.

| code | class | HTTP | exit | again? | means |
| --- | --- | --- | --- | --- | --- |
"""

_PIPE: Final = "\\|"
"""A pipe inside a table's cell."""

_SHARED: Final = ("output", "url", "token", "no_color", "time_format")


def cli_page() -> str:
    """Return the page of all commands, in Markdown."""
    codes = "".join(f"| {code} | {meaning} |\n" for code, meaning in sorted(MEANINGS.items()))
    root = typer.main.get_command(app)
    context = typer.Context(root, info_name=PROGRAM)
    commands = list(_commands(root, context, PROGRAM))
    typical = next(command for name, command in commands if name == f"{PROGRAM} status")
    shared = [one for one in typical.params if one.name in _SHARED]
    text = f"{_CLI_HEAD}{codes}\n## Shared options\n\n"
    text += "Every command that talks to the server or prints data takes these.\n\n"
    text += _options(shared)
    known = {(one.name, one.help) for one in shared}
    return text + "".join(_command(name, command, known) for name, command in commands)


def errors_page() -> str:
    """Return the page of all errors, in Markdown."""
    return _ERRORS_HEAD + "".join(
        f"| `{code}` | `{kind.__name__}` | {kind.http_status} | {kind.exit_code} |"
        f" {'yes' if kind.retryable else 'no'} | {_meaning(kind)} |\n"
        for code, kind in sorted(error_kinds().items())
    )


def pages() -> dict[str, str]:
    """Return every page that is made here, by its file name below `docs/reference`."""
    return {CLI_PAGE: cli_page(), ERRORS_PAGE: errors_page(), API_PAGE: api_document()}


def _commands(group: Any, context: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name in group.list_commands(context):
        # As a call finds it: what the root only lists is loaded by that.
        _, command, _ = group.resolve_command(context, [name])
        whole = f"{path} {name}"
        if hasattr(command, "list_commands"):
            yield from _commands(command, context, whole)
        else:
            yield whole, command


def _command(name: str, command: Any, shared: set[tuple[str, str]]) -> str:
    own = [one for one in command.params if (one.name, getattr(one, "help", "")) not in shared]
    arguments = [one for one in own if one.param_type_name == "argument"]
    options = [one for one in own if one.param_type_name == "option" and one.name != "help"]
    usage = " ".join([name, *map(_usage, arguments), "[OPTIONS]"])
    text = f"\n## {name}\n\n{_one_line(command.help or '')}\n\n```\n{usage}\n```\n"
    if arguments or options:
        text += f"\n{_options([*arguments, *options])}"
    return text


def _usage(argument: Any) -> str:
    name = (argument.metavar or argument.name).strip("[]").upper()
    many = "..." if argument.nargs == -1 or argument.multiple else ""
    return f"[{name}]{many}" if not argument.required else f"{name}{many}"


def _options(parameters: list[Any]) -> str:
    text = "| | |\n| --- | --- |\n"
    for one in parameters:
        if one.param_type_name == "argument":
            shown = f"`{_usage(one)}`"
        else:
            value = "" if getattr(one, "is_flag", False) else f" {_value(one)}"
            shown = ", ".join(f"`{name}{value}`" for name in one.opts)
        text += f"| {shown.replace('|', _PIPE)} | {_help(one)} |\n"
    return text


def _value(option: Any) -> str:
    return str(option.metavar or option.name).upper()


def _help(parameter: Any) -> str:
    text = _one_line(getattr(parameter, "help", None) or "")
    if parameter.envvar:
        text += f" Environment: `{parameter.envvar}`."
    return text.replace("|", _PIPE)


def _meaning(kind: type[TidegateError]) -> str:
    if kind is TidegateError:
        return "The server failed in a way that it wasn't made for; its log says where."
    return _one_line(kind.__doc__ or "")


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def main(folder: str) -> None:
    """Write every page below *folder*."""
    for name, text in pages().items():
        Path(folder, name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
