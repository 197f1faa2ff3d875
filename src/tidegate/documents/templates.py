"""
What `tidegate init` writes: the shortest file that works, with the next things to add as comments.

Rule: without its comments the text is a service that resolves, and every commented line, taken in,
leaves it so. Nothing is detected or asked.
"""

import json
import re
from typing import Final

from tidegate.documents.notation import NAME_PATTERN
from tidegate.documents.scalars import read_plain
from tidegate.errors import InvalidDocumentError

_SERVICE: Final = """\
# tidegate.yaml: everything not written here is a safe default; see them with
#   tidegate plan --resolved
version: 1
service: {service}
owner: {owner}
workload:
  driver: process                       # processes on this machine, behind Envoy
  package: {package}
  run: {run}
  probe: {{http: /}}                      # a path that answers 2xx when a member is ready
  traffic: {{driver: envoy, listen: "127.0.0.1:8080"}}
targets: [first]                        # where it serves, least important first
health:
  signals:
    - http                              # errors and latency, as Envoy counts them
    # Worth adding next: a count of what users come for. A fault that answers quickly, without
    # errors, and does nothing shows in it alone.
    # - {{name: orders, kind: usage, source: openmetrics, metric: orders_total}}

# How much harm is acceptable (these are the defaults):
# prove: {{errors: 0.1pp, usage: 20%, latency: 10%}}

# The way from nobody to everyone. Default: standard, 1% 4h, 10% 8h, 25% 8h, 100% 24h.
# plan:
#   phases:
#     - {{name: canary, traffic: 5%, bake: 4h}}
#     - {{name: wider, traffic: 25%, bake: 8h}}
#     - {{name: everyone, traffic: 100%, bake: 24h, approve: 1 of team-release}}
"""

_PLAIN_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]*[A-Za-z0-9]|[A-Za-z0-9]")


def service_template(service: str, *, owner: str) -> str:
    """
    Return the text of a new `tidegate.yaml` for *service*, which *owner* answers for.

    Raises:
        InvalidDocumentError: *service* can't be the name of a service, or *owner* is blank.
    """
    if not re.fullmatch(NAME_PATTERN, service):
        raise InvalidDocumentError(
            f"{service!r} can't be the name of a service",
            hint="Use small letters, digits and hyphens, at most 63.",
        )
    if not owner.strip():
        raise InvalidDocumentError("a service needs an owner", hint="Name the team.")
    return _SERVICE.format(
        service=_word(service),
        owner=_word(owner),
        package=_word(service),
        run=_word(f"{service} --port {{port}}"),
    )


def _word(text: str) -> str:
    """Return *text* as YAML, in quotes where it would be read as something else without."""
    if _PLAIN_WORD.fullmatch(text) and read_plain(text) == text:
        return text
    return json.dumps(text, ensure_ascii=False)
