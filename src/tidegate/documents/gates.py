"""
What a kind of gate has to say of itself, so that it can stand in `tidegate.yaml`.

A kind is its settings, how long an answer of it is good where nothing is written, and which of its
settings may be written alone (`tests: integration`). All kinds are listed in `gate_kinds`; a driver
reads its settings back with `settings_of`. No gate is asked here.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from tidegate.documents.canonical import canonical_json
from tidegate.documents.components import Written
from tidegate.documents.notation import Duration, Name
from tidegate.domain.durations import format_duration
from tidegate.domain.gates.model import GateSpec
from tidegate.errors import InvalidDocumentError


class GateSettings(Written):
    """
    What every gate may be told; a kind adds its own keys.

    Values that a model makes something else of (a duration excepted) would not read back: keep to
    text, numbers, true and false, durations, and lists and mappings of those.
    """

    name: Name | None = Field(
        default=None, description="Its name, where a kind stands twice. Default: the kind."
    )
    lasts: Duration | None = Field(
        default=None, description="How long an answer is good. Default depends on the kind."
    )
    phases: Annotated[list[Name], Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="Only before these phases (before_phase). Default: before all."
    )


COMMON_KEYS = frozenset(GateSettings.model_fields)
"""Keys that are about the gate and not about its question."""

Settings = TypeVar("Settings", bound=GateSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateKind:
    """
    One kind of gate.

    `what` says in a few words what it asks, for lists and for the JSON Schema. `lasts` is how long an
    answer is good by default. `short` is the setting that may stand alone in place of a mapping, None
    for none. `takes_documents` is whether it judges what is submitted for it, `needs_versions` whether
    it must be told what the versions resolve to now, `needs_traffic` and `needs_traffic_now` whether
    it judges past traffic and that of this moment. `one_of` are settings of which it needs at least one,
    though each of them may be left out.
    """

    what: str
    lasts: timedelta
    settings: type[GateSettings] = GateSettings
    short: str | None = None
    takes_documents: bool = False
    needs_versions: bool = False
    needs_traffic: bool = False
    needs_traffic_now: bool = False
    one_of: tuple[str, ...] = ()

    @property
    def needed(self) -> tuple[str, ...]:
        """The settings that have no default, so that the kind can't stand alone."""
        fields = self.settings.model_fields.items()
        return tuple(field.alias or name for name, field in fields if field.is_required())

    @property
    def stands_alone(self) -> bool:
        """Whether it may be written without any settings."""
        return not self.needed and not self.one_of


def settings_of(spec: GateSpec, model: type[Settings]) -> Settings:
    """
    Return the settings of a gate as its driver reads them.

    Raises:
        InvalidDocumentError: they aren't settings of this kind; another version wrote them.
    """
    try:
        return model.model_validate(json.loads(spec.settings_json))
    except (ValidationError, ValueError) as exc:
        raise InvalidDocumentError(
            f"the settings of gate {spec.name} can't be read: {str(exc).splitlines()[0]}",
            hint="start the change again with the tidegate.yaml of this version",
        ) from exc


def settings_json(settings: GateSettings) -> str:
    """Return what a gate asks by, with every default filled in, as canonical JSON."""
    own = {key: one for key, one in _plain(settings).items() if key not in COMMON_KEYS}
    return canonical_json(own)


def _plain(value: Any) -> Any:
    """Return *value* as it is written in a document."""
    match value:
        case BaseModel():
            return {
                field.alias or name: _plain(getattr(value, name))
                for name, field in type(value).model_fields.items()
            }
        case timedelta():
            return format_duration(value)
        case dict():
            return {key: _plain(member) for key, member in value.items()}
        case list() | tuple():
            return [_plain(member) for member in value]
        case _:
            return value
