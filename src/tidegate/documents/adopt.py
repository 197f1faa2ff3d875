"""
Puts another plan into the text of a `tidegate.yaml`: only its `plan:` changes, the rest stays to the letter.

Rule: nothing comes out that wasn't read again. The new text gives exactly the plan that was wanted, and
everything else as before, or it is refused with what would differ. Where the plans have the same shape
only the values that differ are replaced, so that comments within the plan stay, too; else the whole part is.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tidegate.documents.difference import differences
from tidegate.documents.service_file import ResolvedService, read_service
from tidegate.documents.yaml import Value, read_yaml
from tidegate.documents.yaml_places import Place, Places, places_of
from tidegate.errors import InvalidDocumentError, InvalidRequestError

PLAN: Final = "plan"
MOST_NAMED: Final = 4
"""So many places that would differ are named; the first ones tell enough."""

_SECTION: Final = "the plan to adopt"


def plan_section(text: str, *, file: str) -> str | None:
    """
    Return the `plan:` part of *text* as it is written, comments in it included; None where it has none.

    Args:
        text: A `tidegate.yaml`.
        file: Its name for messages.

    Raises:
        InvalidDocumentError: the text isn't strict YAML.
    """
    document = read_yaml(text, file=file)
    if not isinstance(document.value, dict) or PLAN not in document.value:
        return None
    root = places_of(text).root
    if root.in_braces:
        value = root.entries[PLAN]
        return f"{PLAN}: {text[value.begin : value.end]}\n"
    begin, end = _lines_of_plan(text, root)
    column = root.keys[PLAN] - begin
    lines = text[begin:end].replace("\r\n", "\n").split("\n")
    return "".join(f"{line[min(column, _indent(line)) :]}\n" for line in lines)


def has_same_plan(one: ResolvedService, other: ResolvedService) -> bool:
    """Return whether two services have the same plan, whatever they are called."""
    return _texts(one.canonical)[0] == _texts(other.canonical)[0]


def named_section(plan: str) -> str:
    """Return the `plan:` part that names *plan* of the library."""
    return f"{PLAN}: {plan}\n"


def adopt_plan(
    text: str,
    section: str,
    *,
    wanted: ResolvedService,
    file: str,
    base_dir: Path,
    may_open_files: bool = True,
) -> str:
    """
    Return *text* with *section* as its plan.

    Args:
        text: A `tidegate.yaml`.
        section: Its new `plan:` part, as `plan_section` or `named_section` gives it.
        wanted: The service with the plan that must come out, as it was simulated.
        file: The file's name for messages.
        base_dir: The folder that relative paths in it start from.
        may_open_files: As in `read_service`.

    Raises:
        InvalidDocumentError: *text* can't be used as it is.
        InvalidRequestError: with *section* it would give another plan than *wanted*, or change something
            else; or it is written in a way that a part can't be put into.
    """

    def read(one: str) -> ResolvedService:
        return read_service(one, file=file, base_dir=base_dir, may_open_files=may_open_files)

    present = read(text)
    refusal: InvalidRequestError | None = None
    for adopted in _candidates(text, section, file):
        try:
            _check(present, read(adopted), wanted, file)
        except InvalidDocumentError as exc:
            refusal = InvalidRequestError(
                f"{file} couldn't be read with that plan: {exc.message}",
                hint="Change the plan in the file by hand; `tidegate validate` checks it.",
            )
        except InvalidRequestError as exc:
            refusal = exc
        else:
            return adopted
    raise refusal or InvalidRequestError(
        f"{file} is written in braces, and the new plan isn't",
        hint="Write the file's keys one a line, without the outermost braces, and adopt the plan again.",
    )


def _check(
    present: ResolvedService, adopted: ResolvedService, wanted: ResolvedService, file: str
) -> None:
    plans = [_texts(one.canonical)[0] for one in (adopted, wanted)]
    rests = [_texts(one.canonical)[1] for one in (present, adopted)]
    if plans[0] != plans[1]:
        raise InvalidRequestError(
            f"with that plan {file} would not give what was simulated: {_told(*plans)}",
            hint="The files differ in more than their plans, such as health, prove or targets. Make them "
            "alike in these, simulate again, and adopt then.",
        )
    if rests[0] != rests[1]:
        raise InvalidRequestError(
            f"with that plan {file} would change in more than its plan: {_told(*rests)}",
            hint="Change the plan in the file by hand; `tidegate validate` checks it.",
        )


def _texts(canonical: dict[str, Any]) -> tuple[str, str]:
    """Return the plan of a resolved document, and all the rest of it, as JSON."""
    rest = {key: value for key, value in canonical.items() if key != PLAN}
    return _json(canonical[PLAN]), _json(rest)


def other_differences(one: ResolvedService, other: ResolvedService) -> str:
    """Return the first places at which two services differ beside their plans, in words; empty for none."""
    return _told(_texts(one.canonical)[1], _texts(other.canonical)[1])


def _told(before: str, after: str) -> str:
    found = differences(before, after)
    places = ", ".join(one.place for one in found[:MOST_NAMED])
    return places if len(found) <= MOST_NAMED else f"{places}, and more"


# --- the edits ------------------------------------------------------------------------------------


def _candidates(text: str, section: str, file: str) -> Iterator[str]:
    """Yield texts with *section* in them, the one that changes least first."""
    mine, theirs = read_yaml(text, file=file).value, read_yaml(section, file=_SECTION).value
    assert isinstance(mine, dict) and isinstance(theirs, dict), "a service and a plan are mappings"
    places, other = places_of(text), places_of(section)
    if PLAN in mine:
        values = _Values(text, section)
        if values.replace(
            places.root.entries[PLAN], other.root.entries[PLAN], mine[PLAN], theirs[PLAN]
        ):
            yield values.edited()
    whole = _with_whole_part(text, section, places, other.root.entries[PLAN])
    if whole is not None:
        yield whole


class _Values:
    """Replacements of single values in a text by how they are written in a part."""

    def __init__(self, text: str, section: str) -> None:
        self._text = text
        self._section = section
        self._edits: list[tuple[Place, str]] = []

    def replace(self, mine: Place, theirs: Place, before: Value, after: Value) -> bool:
        """Note what differs. Returns False where the shapes do, so that values alone won't do."""
        if _json(before) == _json(after):
            return True
        if isinstance(before, dict) and isinstance(after, dict):
            return before.keys() == after.keys() and all(
                self.replace(mine.entries[key], theirs.entries[key], before[key], after[key])
                for key in before
            )
        if isinstance(before, list) and isinstance(after, list):
            return len(before) == len(after) and all(
                self.replace(*four)
                for four in zip(mine.items, theirs.items, before, after, strict=True)
            )
        written = self._section[theirs.begin : theirs.end]
        if isinstance(before, dict | list) or isinstance(after, dict | list) or "\n" in written:
            return False
        self._edits.append((mine, written))
        return True

    def edited(self) -> str:
        text = self._text
        for place, written in sorted(self._edits, key=lambda one: one[0].begin, reverse=True):
            text = f"{text[: place.begin]}{written}{text[place.end :]}"
        return text


def _with_whole_part(text: str, section: str, places: Places, theirs: Place) -> str | None:
    """Return *text* with the lines of its plan replaced, or with new ones; None if it has no such lines."""
    root = places.root
    if root.in_braces:
        written = section[theirs.begin : theirs.end]
        is_one_value = theirs.in_braces or not (theirs.entries or theirs.items)
        if PLAN not in root.entries or not is_one_value:
            return None
        value = root.entries[PLAN]
        return f"{text[: value.begin]}{written}{text[value.end :]}"
    first_key = min(root.keys.values())
    column = first_key - _line_begin(text, first_key)
    line_end = "\r\n" if "\r\n" in text else "\n"
    lines = section.rstrip("\n").split("\n")
    part = line_end.join(f"{' ' * column}{line}" if line else line for line in lines)
    if PLAN in root.entries:
        begin, end = _lines_of_plan(text, root)
        return f"{text[:begin]}{part}{text[end:]}"
    above = text[: places.end]
    if not above.endswith("\n"):
        above += line_end
    return f"{above}{part}{line_end}{text[places.end :]}"


def _lines_of_plan(text: str, root: Place) -> tuple[int, int]:
    """Return where the lines of the plan begin and end, with a comment behind its last value."""
    key, value = root.keys[PLAN], root.entries[PLAN]
    last = max(key, value.end)
    end = text.find("\n", last)
    end = len(text) if end < 0 else end
    return _line_begin(text, key), end - 1 if text[:end].endswith("\r") else end


def _line_begin(text: str, index: int) -> int:
    return text.rfind("\n", 0, index) + 1


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _json(value: object) -> str:
    # By what is written: 1 and 1.0 and true are equal in Python and not the same document.
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
