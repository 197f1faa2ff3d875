"""
A strict reader of YAML: plain values, and where in the text each of them stands.

Rule: what two YAML readers could understand differently, and what lets a small file become a large
value (anchors, aliases, merge keys, tags), is refused with the way to write it instead. It works on
the parser's events, without recursion, within fixed bounds of size, depth and count.

The events come from ruamel.yaml's own parser, YAML 1.2; none of its constructors is used. What the
values mean is not known here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark, YAMLStreamError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from tidegate.documents.problems import KeyPath, Mark, Problem, invalid_document
from tidegate.documents.scalars import Scalar, Trap, read_plain
from tidegate.documents.syntax import explain_syntax

MAX_BYTES: Final = 256 * 1024
"""A service with a hundred targets needs some 20 KiB."""
MAX_DEPTH: Final = 50
MAX_NODES: Final = 20_000

_LINE_BREAK: Final = re.compile(r"\r\n|[\n\r]")
_ODD_BREAK: Final = re.compile(r"[\x85\u2028\u2029]|(?<!\A)\ufeff")
"""A byte order mark is one only at the very beginning; elsewhere it is a letter that nobody sees."""
_DIRECTIVE: Final = re.compile(r"(?:\A\ufeff?|[\n\r])%")

Value = Scalar | list["Value"] | dict[str, "Value"]


@dataclass(frozen=True, slots=True)
class Positions:
    """Where keys and values stand, by path."""

    keys: dict[KeyPath, Mark] = field(default_factory=dict)
    values: dict[KeyPath, Mark] = field(default_factory=dict)

    def of_value(self, path: KeyPath) -> Mark | None:
        """Return the place of the value at *path*, or of the nearest thing around it that was written."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path)

    def of_key(self, path: KeyPath) -> Mark | None:
        """Return the place of the key at *path*, or of its value, or of what is around it."""
        return self.keys.get(path) or self.of_value(path)


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """The value of a file and the places in it."""

    value: Value
    positions: Positions


def read_yaml(text: str, *, file: str) -> YamlDocument:
    """
    Return the one document that *text* holds.

    Args:
        text: The whole file.
        file: Its name for messages.

    Raises:
        InvalidDocumentError: listing every problem with line, column and fix: a syntax error, a
            bound that is exceeded, a duplicate key, a key that isn't text, an anchor, alias, merge
            key, tag or second document, or a plain word that YAML readers disagree about.
    """
    unreadable = _too_large(text) or _odd_break(text) or _directive(text)
    if unreadable:
        raise invalid_document(file, [unreadable])
    builder = _Builder()
    try:
        for event in yaml_events(text):
            builder.take(event)
    except _StoppedError as stop:
        raise invalid_document(file, [*builder.problems, stop.problem]) from None
    except (MarkedYAMLError, ReaderError, YAMLStreamError) as exc:
        raise invalid_document(file, [*builder.problems, explain_syntax(exc, text)]) from exc
    if not builder.documents:
        builder.refuse("the file is empty", "start it with: `tidegate init`", Mark(1, 1))
    if builder.problems:
        raise invalid_document(file, builder.problems)
    return YamlDocument(builder.root, builder.positions)


def _too_large(text: str) -> Problem | None:
    size = len(text.encode("utf-8", "surrogatepass"))
    if size <= MAX_BYTES:
        return None
    return Problem(
        what=f"the file has {size} bytes, at most {MAX_BYTES} are read",
        fix="split the service, or move long documents to files of their own",
        mark=None,
    )


def _odd_break(text: str) -> Problem | None:
    found = _ODD_BREAK.search(text)
    if found is None:
        return None
    breaks = list(_LINE_BREAK.finditer(text, 0, found.start()))
    line_start = breaks[-1].end() if breaks else 0
    code = f"{ord(found.group()):04X}"
    return Problem(
        what=f"the character U+{code} is seen by some readers of YAML and not by others"
        if code == "FEFF"
        else f"the character U+{code} ends a line to some readers of YAML and not to others",
        fix=f'remove it; in a double-quoted text it can be written as "\\u{code}"',
        mark=Mark(len(breaks) + 1, found.start() - line_start + 1),
    )


def _directive(text: str) -> Problem | None:
    # Looked for before parsing: the parser fails on some directives in ways of its own.
    found = _DIRECTIVE.search(text)
    if found is None:
        return None
    return Problem(
        what="YAML directives (a line that starts with `%`) aren't read",
        fix="remove the line, or indent it",
        mark=Mark(len(_LINE_BREAK.findall(text, 0, found.end() - 1)) + 1, 1),
    )


def yaml_events(text: str) -> Iterator[Event]:
    """Yield the parser's events of *text*. Raises what the parser raises; `read_yaml` explains it."""
    events: Iterator[Event] = YAML(typ="safe", pure=True).parse(text)
    return events


class _StoppedError(Exception):
    """Reading can't go on; carries the problem. Never leaves this module."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem


@dataclass(slots=True)
class _Frame:
    """A mapping or sequence that is being filled. `key` is the mapping's key that waits for its value."""

    container: dict[str, Value] | list[Value]
    path: KeyPath
    key: str | None = None


@dataclass(slots=True)
class _Builder:
    """Builds values from events; notes problems and goes on where that makes sense."""

    root: Value = None
    documents: int = 0
    nodes: int = 0
    stack: list[_Frame] = field(default_factory=list)
    positions: Positions = field(default_factory=Positions)
    problems: list[Problem] = field(default_factory=list)

    def refuse(self, what: str, fix: str, mark: Mark) -> None:
        self.problems.append(Problem(what=what, fix=fix, mark=mark))

    def take(self, event: Event) -> None:
        mark = _mark(event.start_mark)
        if isinstance(event, DocumentStartEvent):
            self._start_document(mark)
        elif isinstance(event, NodeEvent):
            self._start_node(event, mark)
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            self.stack.pop()

    def _start_document(self, mark: Mark) -> None:
        self.documents += 1
        if self.documents > 1:
            raise _StoppedError(
                Problem(
                    what="a second document starts here",
                    fix="keep one document per file: remove the line `---` and what follows",
                    mark=mark,
                )
            )

    def _start_node(self, event: NodeEvent, mark: Mark) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _StoppedError(
                Problem(
                    what=f"more than {MAX_NODES} values in one file",
                    fix="split the service, or move long documents to files of their own",
                    mark=mark,
                )
            )
        self._refuse_references(event, mark)
        if self.stack and isinstance(self.stack[-1].container, dict) and self.stack[-1].key is None:
            self._take_key(event, self.stack[-1], mark)
        elif isinstance(event, MappingStartEvent):
            self._open({}, mark)
        elif isinstance(event, SequenceStartEvent):
            self._open([], mark)
        else:
            self._place(self._scalar(event, mark), mark)

    def _refuse_references(self, event: NodeEvent, mark: Mark) -> None:
        if isinstance(event, AliasEvent):
            self.refuse(
                f"aliases aren't read (*{event.anchor})",
                f'write the value out where it is used; quote text that starts with "*": '
                f'"*{event.anchor}"',
                mark,
            )
            return
        if event.anchor:
            self.refuse(
                f"anchors aren't read (&{event.anchor})",
                f'remove it; quote text that starts with "&": "&{event.anchor} …"',
                mark,
            )
        tag = getattr(event, "tag", None)
        if tag:
            self.refuse(
                f"tags aren't read ({tag.replace('tag:yaml.org,2002:', '!!')})",
                'remove the tag; quote text that starts with "!"',
                mark,
            )

    def _take_key(self, event: NodeEvent, frame: _Frame, mark: Mark) -> None:
        if not isinstance(event, ScalarEvent):
            raise _StoppedError(
                Problem(
                    what="a key must be a word, not a list, a mapping or an alias",
                    fix="write `key: value`; quote text with braces or brackets",
                    mark=mark,
                )
            )
        key = self._key_text(event, mark)
        assert isinstance(frame.container, dict)
        path = (*frame.path, key)
        if key in frame.container:
            first = self.positions.keys[path]
            self.refuse(
                f"`{key}` stands here twice; the first is on line {first.line}",
                "keep one of the two",
                mark,
            )
        else:
            self.positions.keys[path] = mark
        frame.key = key

    def _key_text(self, event: ScalarEvent, mark: Mark) -> str:
        word: str = event.value
        if not _is_plain(event):
            return word
        if word == "<<":
            self.refuse("merge keys aren't read (<<)", "write the keys out", mark)
            return word
        value = read_plain(word)
        if isinstance(value, Trap):
            self.refuse(f"key: {value.what}", f'quote the key: "{word}"', mark)
        elif not isinstance(value, str):
            shown = word or "nothing"
            self.refuse(f"a key must be text, got {shown}", f'quote the key: "{word}"', mark)
        return word

    def _scalar(self, event: NodeEvent, mark: Mark) -> Value:
        if not isinstance(event, ScalarEvent):
            return None  # an alias, refused already
        word: str = event.value
        if not _is_plain(event):
            return word
        value = read_plain(word)
        if isinstance(value, Trap):
            self.refuse(value.what, value.fix, mark)
            return word
        return value

    def _open(self, container: dict[str, Value] | list[Value], mark: Mark) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise _StoppedError(
                Problem(
                    what=f"nested deeper than {MAX_DEPTH} levels",
                    fix="nothing here needs that; check the brackets",
                    mark=mark,
                )
            )
        path = self._place(container, mark)
        self.stack.append(_Frame(container, path))

    def _place(self, value: Value, mark: Mark) -> KeyPath:
        """Put *value* where it belongs and return its path."""
        if not self.stack:
            self.root = value
            self.positions.values[()] = mark
            return ()
        frame = self.stack[-1]
        if isinstance(frame.container, list):
            path: KeyPath = (*frame.path, len(frame.container))
            frame.container.append(value)
        else:
            assert frame.key is not None
            path = (*frame.path, frame.key)
            frame.container[frame.key] = value
            frame.key = None
        self.positions.values[path] = mark
        return path


def _is_plain(event: ScalarEvent) -> bool:
    return not event.style and bool(event.implicit[0])


def _mark(mark: Any) -> Mark:
    assert isinstance(mark, StringMark), f"the parser was given text, its mark is {mark!r}"
    return Mark(mark.line + 1, mark.column + 1)
