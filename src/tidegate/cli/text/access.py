"""Grants, roles and rulings as lines of text."""

from datetime import datetime

from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.access import AccessChecked, Grant, Grants, Roles
from tidegate.cli.text.columns import Cell, columns
from tidegate.cli.text.times import TimeFormat, write_instant


def grant_table(found: Grants, *, times: TimeFormat) -> list[Text | str]:
    """Return one line per grant."""
    if not found.grants:
        return ["no grants that you may see"]
    rows: list[list[Cell]] = [["GRANT", "SUBJECT", "ROLE", "SCOPE", "STATE", "SINCE", "BY"]]
    rows += [
        [
            grant.id,
            grant.subject,
            f"not {grant.role}" if grant.effect == "deny" else grant.role,
            grant.scope,
            _state(grant, found.as_of, times),
            write_instant(grant.granted_at, now=found.as_of, form=times),
            grant.granted_by,
        ]
        for grant in found.grants
    ]
    return [*columns(rows)]


def role_table(found: Roles) -> list[Text | str]:
    """Return one line per role, and what it lets somebody do."""
    rows: list[list[Cell]] = [["ROLE", "LETS SOMEBODY", "FOR"]]
    rows += [[role.name, ", ".join(role.permissions), role.about] for role in found.roles]
    return [*columns(rows)]


def checked_lines(answer: AccessChecked) -> list[Text | str]:
    """Return whether somebody may do something, why, and who may."""
    may = "may" if answer.is_allowed else "may not"
    where = words.list_words(answer.on)
    lines: list[Text | str] = [
        f"{answer.caller} {may} {answer.permission} on {where}",
        f"  {answer.because}",
    ]
    if answer.granted_to:
        lines.append(f"  granted to: {words.list_words(answer.granted_to)}")
    else:
        lines.append("  granted to nobody: only the server's own token opens it")
    return lines


def _state(grant: Grant, now: datetime, times: TimeFormat) -> str:
    if grant.revoked_at is not None:
        return f"revoked {write_instant(grant.revoked_at, now=now, form=times)}"
    if grant.expires_at is None:
        return "in force"
    until = write_instant(grant.expires_at, now=now, form=times)
    return f"over {until}" if grant.expires_at <= now else f"in force until {until}"
