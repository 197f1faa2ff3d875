"""
The `gates:` of a file, and of the resolved document.

An entry is a kind (`digest`), or a kind with its settings (`{tests: {suite: integration}}`), of which one
may be written alone (`{tests: integration}`). What may stand there comes from the list of kinds. A
service without gates has none in its resolved document, so that digests from before there were gates stay.

Rule: that a gate was put off isn't in any document. Only an emergency can do that, in the server.
"""

import json
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Final, Literal

from pydantic import (
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    Tag,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from tidegate.documents.canonical import canonical_json
from tidegate.documents.components import TAG_PREFIX, Text, Written
from tidegate.documents.gate_kinds import GATE_KINDS
from tidegate.documents.gates import COMMON_KEYS, GateKind
from tidegate.documents.gates_verifying import IN_SHORT
from tidegate.documents.notation import Name, NotationError, checked_by, parse_long_duration, shown
from tidegate.domain.durations import format_duration
from tidegate.domain.gates.model import GateMoment, GateSpec

MOST_GATES: Final = 100
_KNOWN: Final = ", ".join(sorted(GATE_KINDS))


def _form(value: Any) -> str:
    return f"{TAG_PREFIX}{'mapping' if isinstance(value, dict | Written) else 'text'}"


_AsText: Final = Tag(f"{TAG_PREFIX}text")
_AsMapping: Final = Tag(f"{TAG_PREFIX}mapping")


def _settings_type(kind: GateKind) -> Any:
    """Return what may stand after the name of *kind*: its settings, or the one that may be alone."""
    if kind.short is None:
        return kind.settings
    field = kind.settings.model_fields[kind.short]
    alone: Any = field.annotation
    for metadata in field.metadata:
        alone = Annotated[alone, metadata]
    return Annotated[
        Annotated[alone, _AsText] | Annotated[kind.settings, _AsMapping], Discriminator(_form)
    ]


class OneGate(Written):
    """One gate with its settings."""

    @model_validator(mode="after")
    def _is_one(self) -> "OneGate":
        if len(self.model_fields_set) != 1:
            what = (
                f"an entry is one gate, got {len(self.model_fields_set)}: "
                f"{', '.join(sorted(self.written())) or 'nothing'}"
            )
            fix = "begin each gate with its own `- `"
            raise PydanticCustomError("notation", "{what}", {"what": what, "fix": fix})
        return self

    def written(self) -> dict[str, Any]:
        """Return what was written, by kind."""
        fields = type(self).model_fields
        return {str(fields[name].alias): getattr(self, name) for name in self.model_fields_set}


_KINDS: Final[dict[str, Any]] = {
    f"kind_{index}": (
        _settings_type(kind) | None,
        Field(default=None, alias=name, description=f"Green when {kind.what}."),
    )
    for index, (name, kind) in enumerate(GATE_KINDS.items())
}
"""One field per kind. Its name is of no use: kinds have hyphens, so they are read by their aliases."""

GateItem: Final[type[OneGate]] = create_model(
    "GateItem",
    __base__=OneGate,
    __doc__="One gate with its settings: exactly one of these keys.",
    **_KINDS,
)


def _parse_kind(written: object) -> str:
    if isinstance(written, str) and written in GATE_KINDS:
        return written
    nearest = get_close_matches(str(written), GATE_KINDS, n=1)
    raise NotationError(
        f"there is no kind of gate {shown(written)}",
        f"did you mean `{nearest[0]}`?" if nearest else f"take one of: {_KNOWN}",
    )


_KindName = Annotated[
    str,
    checked_by(_parse_kind),
    Field(json_schema_extra={"enum": sorted(GATE_KINDS)}),
]


class _Entry:
    """Tells pydantic what an entry may be, which only the list of kinds knows."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(
            Annotated[
                Annotated[_KindName, _AsText] | Annotated[GateItem, _AsMapping],
                Discriminator(_form),
            ]
        )


Entries = Annotated[list[Annotated[Any, _Entry]], Field(max_length=MOST_GATES)]


class Gates(Written):
    """What must be green before exposure rises."""

    before_start: Entries = Field(
        default_factory=list,
        description="Before anything of the change is served to anyone, internal users included.",
    )
    before_phase: Entries = Field(
        default_factory=list, description="Before every phase, or before those that it names."
    )


# --- in the resolved document ----------------------------------------------------------------


class ResolvedGate(Written):
    """One gate in the resolved document."""

    name: Name
    kind: Text
    moment: Literal["before_start", "before_phase"]
    lasts: Annotated[Any, checked_by(parse_long_duration)]
    phases: Annotated[list[Text], Field(max_length=10_000)]
    settings: dict[str, Any]


ResolvedGates = Annotated[list[ResolvedGate], Field(max_length=2 * MOST_GATES)]


def gates_document(gates: Sequence[GateSpec]) -> dict[str, Any]:
    """Return *gates* as part of the resolved plan: nothing for none."""
    if not gates:
        return {}
    return {
        "gates": [
            {
                "name": gate.name,
                "kind": gate.kind,
                "moment": gate.moment.value,
                "lasts": format_duration(gate.lasts),
                "phases": list(gate.phases),
                "settings": json.loads(gate.settings_json),
            }
            for gate in gates
        ]
    }


def gates_from(resolved: Sequence[ResolvedGate]) -> tuple[GateSpec, ...]:
    """
    Return the gates of a resolved document; the inverse of `gates_document`.

    Raises:
        ValueError: there is no such kind, its settings don't fit, a name stands twice, or one is an
            emergency's.
    """
    names = [gate.name for gate in resolved]
    if len(set(names)) != len(names):
        raise ValueError("gates: a name stands twice")
    taken = next((name for name in names if name.endswith(IN_SHORT)), None)
    if taken is not None:
        raise ValueError(f"gates: {taken}: only an emergency's gates have a name in {IN_SHORT}")
    return tuple(
        GateSpec(
            name=gate.name,
            kind=gate.kind,
            moment=GateMoment(gate.moment),
            settings_json=_checked(gate),
            lasts=gate.lasts,
            phases=tuple(gate.phases),
        )
        for gate in resolved
    )


def _checked(gate: ResolvedGate) -> str:
    kind = GATE_KINDS.get(gate.kind)
    if kind is None:
        raise ValueError(f"gates: there is no kind {gate.kind!r}; there are {_KNOWN}")
    strangers = COMMON_KEYS & gate.settings.keys()
    if strangers:
        raise ValueError(f"gates: {gate.name}: {min(strangers)} isn't a setting of its own")
    try:
        kind.settings.model_validate(gate.settings)
    except ValidationError as exc:
        found = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, found["loc"]))
        raise ValueError(f"gates: {gate.name}: {where}: {found['msg'].lower()}") from exc
    return canonical_json(gate.settings)
