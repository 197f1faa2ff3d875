"""
Writes `docs/reference/settings.md` from the settings themselves: name, default, limits, meaning.

The words are those that stand below each setting in `settings.py`. Run: `python tools/docs/settings.py`.
"""

import ast
import inspect
from pathlib import Path
from typing import Any, Final

from tidegate import settings
from tidegate.settings import Settings

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
TYPES: Final = {"string": "text", "boolean": "true or false", "integer": "whole number"}


def meanings() -> dict[str, str]:
    """Return the words below each setting, on one line."""
    tree = ast.parse(inspect.getsource(settings))
    model = next(node for node in tree.body if isinstance(node, ast.ClassDef))
    found: dict[str, str] = {}
    for field, below in zip(model.body, model.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            if not isinstance(below, ast.Expr):
                raise SystemExit(f"{field.target.id} has no words below it")
            found[field.target.id] = " ".join(ast.literal_eval(below.value).split())
    return found


def page() -> str:
    """Return the whole page."""
    described, schema = meanings(), Settings.model_json_schema()["properties"]
    prefix = Settings.model_config["env_prefix"]
    rows = "\n".join(
        f"| `{prefix}{name.upper()}` | {_default(field.default)} | {_allowed(schema[name])}"
        f" | {described[name]} |"
        for name, field in Settings.model_fields.items()
    )
    return f"""\
# Settings of the server

`tidegate server run` reads its settings from the environment and nowhere else. What a rollout does is
not a setting: that is in [`tidegate.yaml`](configuration.md). A value that can't be used ends the start
with a message.

| variable | default | allowed | meaning |
| --- | --- | --- | --- |
{rows}

`--host` and `--port` of `tidegate server run` come before the variables. The variables of the command
line (`TIDEGATE_URL`, `TIDEGATE_TOKEN`, `TIDEGATE_SERVICE`, `NO_COLOR`) are in its
[reference](cli.md); it finds the server in the same `TIDEGATE_STATE_DIR`.

## What is in the state folder

| | |
| --- | --- |
| `token` | opens the API; made at the first start, readable by its owner only |
| `ledger_key` | signs heads of the ledger; made at the first start, readable by its owner only |
| `hooks/` | a file per hook with its secret, made by you, readable by its owner only |
| `server.json` | address and process of the server that runs; gone when it has ended |
| `tidegate.db` | the store, unless `TIDEGATE_STORE_URL` names another |
| `envoy/` | per target: the managed proxy's files, the last good ones too, its access log |
| `workloads/` | installed versions, and what each placement was told |
| `documents/` | versions of configuration documents |
| `processes/` | what the server keeps running beyond its own life, and their logs |

Keep it: services and proxies run from it. Whoever can read it can move what it serves.
"""


def _default(value: Any) -> str:
    if value in (None, ""):
        return "none"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def _allowed(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        schema = next(part for part in schema["anyOf"] if part["type"] != "null")
    if "pattern" in schema:
        return str(schema["pattern"]).strip("^$()").replace("|", ", ")
    if schema.get("format") == "path":
        return "folder"
    if "minimum" in schema:
        return f"{schema['minimum']} to {schema['maximum']}"
    if "exclusiveMinimum" in schema:
        return f"above {schema['exclusiveMinimum']:g}, at most {schema['maximum']:g}"
    return TYPES[schema["type"]]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
