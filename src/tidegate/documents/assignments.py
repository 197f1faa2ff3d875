"""
What people write as `NAME=VALUE`: versions by component, facts by name; on a command line or in a form.

Rule: a name that is there twice is an error, and never the last one wins.
"""

import re
from collections.abc import Sequence

from tidegate.errors import InvalidRequestError

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def versions_of(written: Sequence[str], *, called: str) -> dict[str, str]:
    """
    Return versions by component of `COMPONENT=VERSION[@sha256:…]`, each component once.

    Args:
        written: One such text each.
        called: What whoever wrote it calls it, as `--change`.

    Raises:
        InvalidRequestError: one isn't written so, or a component is there twice.
    """
    versions: dict[str, str] = {}
    for text in written:
        component, equals, version = text.partition("=")
        if not (equals and component.strip() and version.strip()):
            raise InvalidRequestError(
                f"{called} must be COMPONENT=VERSION, got {text!r}",
                hint="the component of a `workload:` is called code: code=1.2.3",
            )
        if component.strip() in versions:
            raise InvalidRequestError(
                f"{called} names {component.strip()} twice", hint="give each component one version"
            )
        versions[component.strip()] = version.strip()
    return versions


def facts_of(written: Sequence[str], *, called: str) -> dict[str, str | bool | float]:
    """
    Return values by name of `NAME=VALUE`, each once: numbers and truth values as such, else text.

    Args:
        written: One such text each.
        called: What whoever wrote it calls it, as `--fact`.

    Raises:
        InvalidRequestError: one isn't written so, or a name is there twice.
    """
    facts: dict[str, str | bool | float] = {}
    for text in written:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (equals and name and value):
            raise InvalidRequestError(
                f"{called} must be NAME=VALUE, got {text!r}", hint="as in cve.score=9.8"
            )
        if name in facts:
            raise InvalidRequestError(
                f"{called} names {name} twice", hint="give each fact one value"
            )
        facts[name] = _fact(value)
    return facts


def _fact(written: str) -> str | bool | float:
    if written in ("true", "false"):
        return written == "true"
    if _NUMBER.fullmatch(written):
        return float(written)
    # Quotes make text of what would be read as something else.
    quoted = len(written) >= 2 and written[0] == written[-1] == '"'
    return written[1:-1] if quoted else written
