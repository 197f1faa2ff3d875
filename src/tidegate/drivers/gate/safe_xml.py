"""
XML from strangers, as a tree of elements with their attributes; text isn't kept.

Rule: no document type, so no entities, so nothing is expanded and nothing is fetched. Size, depth and
number of elements are bounded. What the elements mean belongs to the reader of the format.
"""

from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from tidegate.drivers.gate.submitted import UnreadableError

MAXIMUM_DEPTH: Final = 60
MAXIMUM_ELEMENTS: Final = 500_000

_SEPARATOR: Final = "\x1f"


@dataclass(slots=True)
class Element:
    """One element: its name without namespace, in small letters, and what it holds."""

    name: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)


def read_xml(content: bytes) -> Element:
    """
    Return the root element of *content*.

    Raises:
        UnreadableError: it isn't well-formed, declares a document type, or is too deep or too large.
    """
    tree = _Tree()
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.EntityDeclHandler = _refuse_document_type
    try:
        parser.Parse(content, True)
    except UnreadableError:
        raise
    except (expat.ExpatError, LookupError, ValueError) as exc:
        raise UnreadableError(f"it isn't well-formed XML ({exc})") from exc
    if tree.root is None:
        raise UnreadableError("it holds no element")
    return tree.root


class _Tree:
    """Collects elements as the parser meets them."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Note that an element begins."""
        self._count += 1
        if self._count > MAXIMUM_ELEMENTS or len(self._open) >= MAXIMUM_DEPTH:
            raise UnreadableError(
                f"it has more than {MAXIMUM_ELEMENTS} elements, or more than {MAXIMUM_DEPTH} inside "
                "one another"
            )
        element = Element(name=_local(name), attributes=_plain(attributes))
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _name: str) -> None:
        """Note that the last element that began has ended."""
        self._open.pop()


def _plain(attributes: dict[str, str]) -> dict[str, str]:
    """Return the attributes without a namespace, their names in small letters."""
    plain = {key.lower(): value for key, value in attributes.items() if _SEPARATOR not in key}
    if len(plain) != sum(_SEPARATOR not in key for key in attributes):
        raise UnreadableError("an element says the same attribute twice, in other letters")
    return plain


def _local(name: str) -> str:
    return name.rpartition(_SEPARATOR)[2].lower()


def _refuse_document_type(*_args: object) -> None:
    raise UnreadableError(
        "it declares a document type, which is refused: entities could be anything"
    )
