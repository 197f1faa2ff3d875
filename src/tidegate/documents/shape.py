"""
Checks a value read from a file against the models, and says what doesn't fit as people need it.

Rule: pydantic finds what is wrong; the words are ours. A key that isn't known gets the nearest one that
is; what the format names but this version can't do yet is said to be just that.
"""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from tidegate.documents import unsupported
from tidegate.documents.alerts import Alerts
from tidegate.documents.components import (
    SUPPORTED_DRIVERS,
    TAG_PREFIX,
    FileComponent,
    Probe,
    ProcessComponent,
    Traffic,
)
from tidegate.documents.gate_kinds import GATE_KINDS
from tidegate.documents.gates_written import GateItem, Gates
from tidegate.documents.identities import Identity
from tidegate.documents.notation import shown
from tidegate.documents.problems import Complaint, KeyPath, path_text
from tidegate.documents.windows import (
    WrittenExceptions,
    WrittenHolidays,
    WrittenPlanWindow,
    WrittenWindow,
)
from tidegate.documents.written import (
    Coverage,
    Exercise,
    Health,
    ModelNode,
    NoData,
    OwnEnvoy,
    Prove,
    ServiceFile,
    Signal,
    Target,
    TargetSettings,
    Tolerances,
    WrittenApproval,
    WrittenPhase,
    WrittenPlan,
)
from tidegate.documents.yaml import Value

_MODELS: Final[Mapping[tuple[str, ...], type[BaseModel]]] = {
    (): ServiceFile,
    ("targets", "*"): Target,
    ("targets", "*", "envoy"): OwnEnvoy,
    ("targets", "*", "settings"): TargetSettings,
    ("health",): Health,
    ("health", "signals", "*"): Signal,
    ("health", "exercise", "*"): Exercise,
    ("health", "no_data"): NoData,
    ("health", "alerts"): Alerts,
    ("health", "coverage"): Coverage,
    ("health", "model", "*"): ModelNode,
    ("prove",): Prove,
    ("plan",): WrittenPlan,
    ("plan", "phases", "*"): WrittenPhase,
    ("plan", "phases", "*", "prove"): Tolerances,
    ("gates",): Gates,
    ("gates", "before_start", "*"): GateItem,
    ("gates", "before_phase", "*"): GateItem,
    ("plan", "window"): WrittenPlanWindow,
    ("plan", "window", "holidays"): WrittenHolidays,
    ("plan", "window", "exceptions"): WrittenExceptions,
    ("plan", "phases", "*", "window"): WrittenWindow,
    ("plan", "phases", "*", "window", "holidays"): WrittenHolidays,
    ("plan", "phases", "*", "approve"): WrittenApproval,
}
_COMPONENT_PARTS: Final[Mapping[str, type[BaseModel]]] = {"probe": Probe, "traffic": Traffic}
_COMPONENTS: Final[Mapping[str, type[BaseModel]]] = {
    "process": ProcessComponent,
    "file": FileComponent,
}

_WANTED: Final[Mapping[str, tuple[str, str]]] = {
    "string_type": ("text", 'quote it: "{value}"'),
    "int_type": ("a whole number", "write a number without quotes"),
    "float_type": ("a number", "write a number without quotes"),
    "bool_type": ("true or false", "write true or false"),
    "list_type": ("a list", "write [one, two], or one item per line after `- `"),
    "dict_type": ("a mapping", "write its keys below it, indented"),
    "model_type": ("a mapping", "write its keys below it, indented"),
    "model_attributes_type": ("a mapping", "write its keys below it, indented"),
}


ModelAt = Callable[[KeyPath, dict[str, Value]], type[BaseModel] | None]
"""Says which model reads the mapping at a path of a document, None for none."""

File = TypeVar("File", bound=BaseModel)


def check_shape(value: Value) -> tuple[ServiceFile | None, list[Complaint]]:
    """Return the service that *value* describes, or None with everything that doesn't fit."""
    return check_against(ServiceFile, value, _model_at)


def check_against(
    model: type[File], value: Value, model_at: ModelAt
) -> tuple[File | None, list[Complaint]]:
    """Return the *model* that *value* describes, or None with everything that doesn't fit."""
    if not isinstance(value, dict):
        complaint = Complaint(
            path=(),
            what=f"the file must be a mapping of keys, got {shown(value)}",
            fix="start it with `version: 1`"
            + (", or write it with: tidegate init" if model is ServiceFile else ""),
        )
        return None, [complaint]
    empty = list(_empty_places(value))
    try:
        file = model.model_validate(value)
    except ValidationError as exc:
        complaints = [_complaint(error, value, model_at) for error in exc.errors(include_url=False)]
    else:
        if not empty:
            return file, []
        complaints = []
    told = {complaint.path for complaint in empty}
    meant = {complaint.meant for complaint in complaints if complaint.meant}
    return None, empty + [
        one for one in complaints if one.path not in told and one.missing not in meant
    ]


def _empty_places(value: Value, path: KeyPath = ()) -> Iterator[Complaint]:
    """Yield a complaint for each value left out: half a line is more likely than a wish for nothing."""
    if value is None:
        yield Complaint(
            path=path,
            what=f"`{path_text(path)}` is empty",
            fix='write a value or remove the key; text that starts with "#" must be quoted',
            on_key=True,
        )
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _empty_places(item, (*path, index))
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _empty_places(member, (*path, key))


def _complaint(error: ErrorDetails, document: dict[str, Value], model_at: ModelAt) -> Complaint:
    path = _plain_path(error["loc"])
    match error["type"]:
        case "notation":
            context = error["ctx"]
            what, fix = str(context["what"]), str(context["fix"])
            return Complaint(path=path, what=f"{path_text(path)}: {what}", fix=fix)
        case "extra_forbidden":
            return _unknown_key(path, model_at(path[:-1], document))
        case "missing":
            return _missing_key(path, _description(path, model_at(path[:-1], document)))
        case "literal_error":
            return _wrong_word(path, error)
        case "union_tag_invalid" | "union_tag_not_found":
            return _wrong_choice(path, error)
        case kind if kind in _WANTED:
            wanted, fix = _WANTED[kind]
            return Complaint(
                path=path,
                what=f"{path_text(path)}: {wanted} is needed, got {shown(error['input'])}",
                fix=fix.replace("{value}", str(error["input"])),
            )
        case _:
            description = _description(path, model_at(path[:-1], document))
            return Complaint(
                path=path,
                what=f"{path_text(path)}: {_own_words(error)}, got {shown(error['input'])}",
                fix="correct the value" + (f" ({description})" if description else ""),
            )


def _plain_path(location: tuple[str | int, ...]) -> KeyPath:
    """Return *location* without pydantic's own steps: the choices of unions, the mark of a key."""
    return tuple(
        step
        for step in location
        if not (isinstance(step, str) and (step.startswith(TAG_PREFIX) or step == "[key]"))
    )


def _unknown_key(path: KeyPath, model: type[BaseModel] | None) -> Complaint:
    key = str(path[-1])
    around = path[:-1]
    known = _known_keys(model)
    if key in unsupported.KEYS.get(_pattern(around), frozenset()):
        return Complaint(
            path=path,
            what=unsupported.not_yet(f"`{path_text(path)}`"),
            fix=f"remove it; supported here: {', '.join(known)}",
            on_key=True,
        )
    nearest = get_close_matches(key, known, n=1)
    return Complaint(
        path=path,
        what=f"unknown key `{path_text(path)}`",
        fix=f"did you mean `{nearest[0]}`?" if nearest else f"known here: {', '.join(known)}",
        on_key=True,
        meant=(*around, nearest[0]) if nearest else (),
    )


def _missing_key(path: KeyPath, description: str) -> Complaint:
    return Complaint(
        path=path[:-1],
        what=f"`{path_text(path)}` is missing",
        fix=f"add `{path[-1]}: …`" + (f" ({description})" if description else ""),
        on_key=True,
        missing=path,
    )


def _wrong_word(path: KeyPath, error: ErrorDetails) -> Complaint:
    written = error["input"]
    expected = str(error["ctx"]["expected"]).replace("'", "").replace(" or ", ", ")
    later: frozenset[str] = frozenset()
    if path and path[-1] == "kind" and path[0] != "health":
        later = unsupported.KINDS
    elif path[-2:] == ("traffic", "driver"):
        later = unsupported.TRAFFIC_DRIVERS
    if isinstance(written, str) and written in later:
        what = unsupported.not_yet(f"`{path[-1]}: {written}`")
    elif isinstance(written, str) and written in expected.split(", "):
        what = f"{path_text(path)}: a number is needed, got the text {shown(written)}"
        expected = f"{written}, without quotes"
    else:
        what = f"{path_text(path)}: {shown(written)} isn't known"
    return Complaint(path=path, what=what, fix=f"supported: {expected}")


def _wrong_choice(path: KeyPath, error: ErrorDetails) -> Complaint:
    written = error["input"]
    supported = ", ".join(SUPPORTED_DRIVERS)
    if not _is_component(path):
        return Complaint(
            path=path,
            what=f"{path_text(path)}: {shown(written)} can't stand here",
            fix=f"write {_forms(error)}",
        )
    if not isinstance(written, dict):
        return Complaint(
            path=path,
            what=f"{path_text(path)}: a mapping is needed, got {shown(written)}",
            fix=f"write its keys below it, first `driver:` with one of {supported}",
        )
    driver = written.get("driver")
    if "driver" not in written:
        return Complaint(
            path=path,
            what=f"`{path_text((*path, 'driver'))}` is missing",
            fix=f"add `driver:` with one of {supported}",
            on_key=True,
        )
    what = f"there is no driver {shown(driver)}"
    if isinstance(driver, str) and driver in unsupported.COMPONENT_DRIVERS:
        what = unsupported.not_yet(f"`driver: {driver}`")
    return Complaint(path=(*path, "driver"), what=what, fix=f"supported: {supported}")


def _forms(error: ErrorDetails) -> str:
    tags = str(error["ctx"].get("expected_tags", "")).replace("'", "").split(", ")
    words = {"text": "one value", "list": "a list", "mapping": "a mapping of keys"}
    return " or ".join(words[tag.removeprefix(TAG_PREFIX)] for tag in tags)


def _own_words(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "greater_than_equal":
            return f"must be at least {context['ge']:g}"
        case "greater_than":
            return f"must be above {context['gt']:g}"
        case "less_than_equal":
            return f"must be at most {context['le']:g}"
        case "less_than":
            return f"must be below {context['lt']:g}"
        case "too_short" | "string_too_short":
            return f"needs at least {context['min_length']}"
        case "too_long" | "string_too_long":
            return f"may have at most {context['max_length']}"
        case "string_pattern_mismatch":
            return f"must match {context['pattern']}"
        case _:
            return error["msg"].lower()


def _is_component(path: KeyPath) -> bool:
    return path == ("workload",) or (len(path) == 2 and path[0] == "components")


def _pattern(path: KeyPath) -> tuple[str, ...]:
    """Return *path* with `*` for items of lists, names of components and of nodes."""
    steps = ["*" if isinstance(step, int) else step for step in path]
    if len(steps) > 1 and steps[0] == "components":
        steps[1] = "*"
    if len(steps) > 2 and steps[:2] == ["health", "model"]:
        steps[2] = "*"
    return tuple(steps)


def _model_at(path: KeyPath, document: dict[str, Value]) -> type[BaseModel] | None:
    if path and path[0] == "gates" and len(path) == 4:
        kind = GATE_KINDS.get(str(path[3]))
        return None if kind is None else kind.settings
    if path and path[0] == "gates" and len(path) == 6 and path[4] == "identities":
        return Identity
    depth = {"workload": 1, "components": 2}.get(str(path[0]) if path else "", 0)
    if not depth or len(path) < depth:
        return _MODELS.get(_pattern(path))
    if len(path) > depth:
        return _COMPONENT_PARTS.get(str(path[depth])) if len(path) == depth + 1 else None
    component: Any = document
    for step in path:
        component = component[step]
    return _COMPONENTS.get(str(component.get("driver"))) if isinstance(component, dict) else None


def _known_keys(model: type[BaseModel] | None) -> list[str]:
    if model is None:
        return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _description(path: KeyPath, model: type[BaseModel] | None) -> str:
    if model is None or not path:
        return ""
    for name, field in model.model_fields.items():
        if (field.alias or name) == path[-1]:
            return (field.description or "").rstrip(".")
    return ""
