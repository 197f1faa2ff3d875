"""
Pages of the reference that are made from code, so that they can't say anything else than it does.

Write them with `python -m tidegate.documents.reference docs/reference`; a test fails when they are
stale.
"""

import sys
from pathlib import Path
from typing import Final

from tidegate.documents.incidents import incident_schema_text
from tidegate.documents.schema import policy_schema_text, service_schema_text
from tidegate.domain.plan.findings import Rule
from tidegate.domain.plan.rules import GROUND_RULES, LAB_RULE, PLAN_RULES

_RULES_HEAD: Final = """\
# Rules for plans

`tidegate validate`, `plan` and `start` check every service against these rules. An **error** forbids
the start; a **warning** is shown and goes into the record. Ids are stable.

Rules bind by the environment of a target, never by who wrote a change or how small it is: those
that name production hold for every target whose `environment` is `production` (the default).

| id | severity | it demands | because |
| --- | --- | --- | --- |
"""


def plan_rules_page() -> str:
    """Return the page of rules, in Markdown."""
    rules = (*GROUND_RULES, *PLAN_RULES, LAB_RULE)
    return _RULES_HEAD + "".join(map(_row, rules))


def pages() -> dict[str, str]:
    """Return every page that is made from code, by its file name below `docs/reference`."""
    return {
        "incident.schema.json": incident_schema_text(),
        "plan-rules.md": plan_rules_page(),
        "tidegate-org.schema.json": policy_schema_text(),
        "tidegate.schema.json": service_schema_text(),
    }


def write_pages(folder: Path) -> None:
    """Write `pages` into *folder*."""
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def _row(rule: Rule) -> str:
    return f"| `{rule.id}` | {rule.severity.value} | {rule.demands} | {rule.why} |\n"


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
