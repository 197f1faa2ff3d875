"""
What a YAML parser's complaint means, in words for the person who wrote the line.

Parsers tell what they expected; people need to know what to change. The complaints that come up when
writing `tidegate.yaml` are translated here; any other is passed on as it is, with its place.
"""

from typing import Final

from ruamel.yaml.error import MarkedYAMLError, YAMLStreamError
from ruamel.yaml.reader import ReaderError

from tidegate.documents.problems import Mark, Problem

_QUOTE_BRACES: Final = (
    "quote text that holds braces, brackets, commas or `: `, as in "
    '{query: "sum(rate(requests_total{$arm}[5m]))"}'
)

_FIXES: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "mapping values are not allowed here",
        "a second `: ` in one line, or a line that is indented too far",
        "quote text that holds `: `; indent the keys of one mapping by the same number of spaces",
    ),
    (
        "found character '\\t'",
        "a tab where only spaces may stand",
        "indent with spaces",
    ),
    (
        "found unknown escape character",
        "an unknown escape in a double-quoted text",
        "write the text in single quotes, or double the backslash",
    ),
    (
        "but found '<scalar>'",
        "text that doesn't belong to any key",
        "indent it under its key, or quote the whole value",
    ),
    (
        "but found '<block mapping start>'",
        "a line that is indented like no other line of its mapping",
        "indent the keys of one mapping by the same number of spaces",
    ),
    (
        "but found '?'",
        "a key where a list goes on",
        "start the line with `- `, or indent it under an item",
    ),
    (
        "but found '-'",
        "a list item where a mapping goes on",
        "indent the item under its key",
    ),
    (
        "that cannot start any token",
        "a character that can't start a value",
        'quote the value: "…"',
    ),
    (
        "expected the node content",
        "a value is missing here",
        "write the value, or quote it when it starts with a bracket, brace or comma",
    ),
    (
        "but found ']'",
        "a closing bracket without an opening one",
        "remove it, or quote the whole value",
    ),
    (
        "but found '}'",
        "a closing brace without an opening one",
        "remove it, or quote the whole value",
    ),
    (
        "expected alphabetic or numeric character",
        "a value that starts with `*` or `&`",
        'quote it: "*"',
    ),
)


def explain_syntax(error: MarkedYAMLError | ReaderError | YAMLStreamError, text: str) -> Problem:
    """Return what *error*, met while reading *text*, means and how to put it right."""
    if isinstance(error, ReaderError):
        return _explain_character(error, text)
    if not isinstance(error, MarkedYAMLError):
        return Problem(what=str(error), fix="write plain UTF-8 text", mark=None)
    problem = error.problem or "it can't be read"
    here = _mark(error.problem_mark)
    start = _mark(error.context_mark) or here
    if problem == "could not find expected ':'":
        return Problem(what="a key without `: `", fix="write `key: value`", mark=start)
    if problem == "found unexpected end of stream" and "quoted scalar" in (error.context or ""):
        return Problem(what="the quote that opens here is never closed", fix="close it", mark=start)
    if "flow mapping" in (error.context or "") or "flow sequence" in (error.context or ""):
        return _explain_flow(error, problem, here, start)
    for needle, what, fix in _FIXES:
        if needle in problem:
            return Problem(what=what, fix=fix, mark=here)
    return Problem(what=f"not YAML: {problem}", fix="correct the line", mark=here)


def _explain_flow(
    error: MarkedYAMLError, problem: str, here: Mark | None, start: Mark | None
) -> Problem:
    kind, opening, closing = (
        ("mapping", "{", "}") if "flow mapping" in (error.context or "") else ("list", "[", "]")
    )
    if "'<stream end>'" in problem or "'<block end>'" in problem:
        return Problem(
            what=f"the `{opening}` that opens here is never closed",
            fix=f"close it with `{closing}`",
            mark=start,
        )
    found = problem.rpartition("got ")[2].strip("'")
    fix = _QUOTE_BRACES
    if start and here and here.line > start.line:
        fix = f"close the `{opening}` of line {start.line} with `{closing}`; or {fix}"
    return Problem(
        what=f"`{found}` can't stand here, inside the {kind} that opens on line "
        f"{start.line if start else '?'}",
        fix=fix,
        mark=here,
    )


def _explain_character(error: ReaderError, text: str) -> Problem:
    position = error.position
    before = text[:position]
    line_start = before.rfind("\n") + 1
    code = error.character if isinstance(error.character, int) else ord(str(error.character))
    return Problem(
        what=f"the character U+{code:04X} can't stand in YAML",
        fix='remove it; in a double-quoted text it can be written as an escape, like "\\u0007"',
        mark=Mark(before.count("\n") + 1, position - line_start + 1),
    )


def _mark(mark: object) -> Mark | None:
    line, column = getattr(mark, "line", None), getattr(mark, "column", None)
    if line is None or column is None:
        return None
    return Mark(line + 1, column + 1)
