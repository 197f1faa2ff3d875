"""`tidegate validate`: everything that is wrong in a file, with its place and its fix. No server."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidegate.cli import exit_codes
from tidegate.cli.found import FILE_NAME, find_file
from tidegate.cli.session import Session
from tidegate.errors import InvalidDocumentError

if TYPE_CHECKING:
    from tidegate.documents.service_file import ResolvedService


def validate(
    session: Session,
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Files to check. Default: the nearest tidegate.yaml."),
    ] = None,
) -> int:
    """Check tidegate.yaml: shape, values and the rules for plans. Tells all problems at once."""
    checked = [_check(path) for path in files or [_nearest()]]
    valid = all(one["valid"] for one in checked)
    session.printer.show(
        {"valid": valid, "files": checked},
        text=lambda: [line for one in checked for line in one["text"]],
        names=[one["file"] for one in checked if not one["valid"]],
    )
    return exit_codes.DONE if valid else exit_codes.USAGE


def _nearest() -> Path:
    path = find_file()
    if path is None:
        raise InvalidDocumentError(
            f"there is no {FILE_NAME} here or above",
            hint="write one with `tidegate init`, or name a file",
        )
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _check(path: Path) -> dict[str, Any]:
    # Reading documents takes long to load; most commands, above all halt, do without.
    from tidegate.documents.service_file import load_service

    try:
        resolved = load_service(path)
    except InvalidDocumentError as exc:
        return {
            "file": str(path),
            "valid": False,
            "problems": exc.message.splitlines(),
            "warnings": [],
            "text": [*exc.message.splitlines(), exc.hint],
        }
    return _valid(path, resolved)


def _valid(path: Path, resolved: "ResolvedService") -> dict[str, Any]:
    plan = resolved.spec.plan
    warnings = [
        f"{finding.place}: warning: {finding.message} [{finding.rule}]\n    fix: {finding.fix}"
        for finding in resolved.findings
    ]
    phases = f"{len(plan.phases)} phase{'' if len(plan.phases) == 1 else 's'}"
    noun = "warning" if len(warnings) == 1 else "warnings"
    ok = f"{path}: ok, service {resolved.spec.name}, plan {plan.name} with {phases}"
    return {
        "file": str(path),
        "valid": True,
        "problems": [],
        "warnings": warnings,
        "text": [*warnings, f"{ok}, {len(warnings)} {noun}"],
    }
