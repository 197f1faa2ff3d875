"""
Writes docs/reference/permissions.md: which role brings which permission, and what needs it.

From the code: the table of roles, every command on the bus and every operation of the API. Run it with
`python tools/docs/permissions.py`; a test fails when the page is stale.
"""

import importlib
import json
import pkgutil
import re
from collections import defaultdict
from pathlib import Path
from typing import Final

from tidegate import usecases
from tidegate.api.app import api_document
from tidegate.api.showing.access import ABOUT
from tidegate.domain.access.permissions import OF_ONE_PART, OPEN_TO_ALL, RAISING, Permission
from tidegate.domain.access.roles import ROLES, Role
from tidegate.usecases.bus import COMMANDS

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "permissions.md"

HEAD: Final = """\
# Permissions

Every operation of the API and every command behind it needs one permission. Roles bring permissions, and
grants say who has which role where: [give access](../how-to/access.md). What isn't granted is refused;
why it is so is in [decision 0023](../adr/0023-roles-and-the-ruling.md).

## Roles

"""

REACH: Final = """\
What *raises* can let more people meet a change: it reaches an environment only by a scope that names it.
For what needs *one part*, a grant on one of several targets is enough. Everything else needs all of them.
"""


def page() -> str:
    """Return the page, in Markdown."""
    parts = [HEAD, *_roles(), "\n## Roles and permissions\n\n", *_table()]
    parts += ["\n## What needs which\n\n", REACH]
    commands, routes = _commands(), _routes()
    for permission in Permission:
        parts.append(f"\n### `{permission.value}`\n\n{_remark(permission)}")
        parts += [f"- {what}\n" for what in (*commands[permission], *routes[permission])]
    return "".join(parts)


def _roles() -> list[str]:
    rows = [f"| `{role.value}` | {ABOUT[role]} |\n" for role in Role]
    return ["| role | for whoever |\n| --- | --- |\n", *rows]


def _table() -> list[str]:
    head = "| permission | " + " | ".join(f"{role.value}" for role in Role) + " |\n"
    rows = [
        f"| `{permission.value}` | "
        + " | ".join("yes" if permission in ROLES[role] else "" for role in Role)
        + " |\n"
        for permission in Permission
        if permission not in OPEN_TO_ALL
    ]
    return [head, "| --- " * (len(Role) + 1) + "|\n", *rows]


def _remark(permission: Permission) -> str:
    said = [
        "open to all, without a grant" if permission in OPEN_TO_ALL else "",
        "raises" if permission in RAISING else "",
        "needs one part" if permission in OF_ONE_PART else "",
    ]
    text = ", ".join(one for one in said if one)
    return f"{text[:1].upper()}{text[1:]}.\n\n" if text else ""


def _commands() -> dict[Permission, list[str]]:
    for module in pkgutil.walk_packages(usecases.__path__, f"{usecases.__name__}."):
        importlib.import_module(module.name)
    found: dict[Permission, list[str]] = defaultdict(list)
    # Those of the lab are of a server of its own, and known only where the lab was loaded.
    shipped = [one for name, one in COMMANDS.items() if not name.startswith("tidegate.lab.")]
    for command in sorted(shipped, key=lambda one: one.__name__):
        if command.__module__.startswith("tidegate."):
            about = re.split(r"\n\s*\n", (command.__doc__ or "").strip())[0]
            found[command.permission].append(f"`{command.__name__}`: {' '.join(about.split())}")
    return found


def _routes() -> dict[Permission, list[str]]:
    found: dict[Permission, list[str]] = defaultdict(list)
    for path, item in sorted(json.loads(api_document())["paths"].items()):
        for method, operation in sorted(item.items()):
            permission = Permission(operation["x-permission"])
            found[permission].append(f"`{method.upper()} {path}`")
    return found


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
