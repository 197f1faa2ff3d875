"""
The format of recorded incidents: what went wrong, to whom, when and how much, for `tidegate simulate`.

A file holds one incident as a list of faults; several faults make a course of events. The same format
is used by the incidents that come with Tidegate and by those that users write of their own. Only shape
and values are checked here; what a fault does to a service is up to `usecases.simulation`.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, WithJsonSchema, model_validator

from tidegate.documents.components import Text, Written
from tidegate.documents.notation import (
    Duration,
    Name,
    Points,
    Share,
    checked_by,
    parse_any_share,
    shown,
)
from tidegate.documents.problems import KeyPath, Problem, invalid_document, path_text
from tidegate.documents.yaml import MAX_BYTES, YamlDocument, read_yaml
from tidegate.errors import InvalidDocumentError

INCIDENT_SCHEMA: Final = "tidegate.incident/1"

ShareOrNone = Annotated[
    int,
    checked_by(parse_any_share),
    WithJsonSchema({"type": "string", "examples": ["2%", "0%"]}),
]
Factor = Annotated[float, Field(ge=0.0, le=1_000.0)]


class WrittenFault(Written):
    """One thing that goes wrong."""

    whom: Literal["candidate", "both"] = Field(
        default="candidate", description="Who suffers: the candidate's users, or everybody."
    )
    since: Literal["start", "exposure"] = Field(
        default="exposure",
        description="From when times count: the rollout's start, or a target's first user.",
    )
    after: Duration = Field(
        default=timedelta(0), description="When it begins.", json_schema_extra={"default": "0s"}
    )
    over: Duration = Field(
        default=timedelta(0),
        description="How long it takes to grow to full strength.",
        json_schema_extra={"default": "0s"},
    )
    lasts: Duration | None = Field(default=None, description="When it is gone again.")
    target: Name | None = Field(
        default=None, description="Only there: a target's name, or first or last in the plan."
    )
    path: Share = Field(
        default=10_000,
        description="Share of requests that take the path that fails.",
        json_schema_extra={"default": "100%"},
    )
    load_above: Factor | None = Field(
        default=None, description="Only while traffic is above so many times its mean."
    )
    share_above: Share | None = Field(
        default=None, description="Only where the candidate has at least this share."
    )
    errors: Points | None = Field(default=None, description="How many more requests fail.")
    slower: Factor | None = Field(
        default=None, description="How many times as long the slowest tenth of answers takes."
    )
    usage: Factor | None = Field(default=None, description="What remains of good events, 1 is all.")
    arrives: Factor | None = Field(
        default=None, description="What reaches the candidate of the requests meant for it."
    )
    saturation: Factor | None = Field(
        default=None, description="How many times as high gauges such as memory are."
    )
    restarts_per_hour: Factor | None = Field(
        default=None, description="How often members of the candidate crash."
    )
    silent: bool = Field(default=False, description="The candidate's metrics are gone.")

    @model_validator(mode="after")
    def _does_something(self) -> "WrittenFault":
        effects = (
            self.errors,
            self.slower,
            self.usage,
            self.arrives,
            self.saturation,
            self.restarts_per_hour,
        )
        if not self.silent and all(effect is None for effect in effects):
            raise ValueError("a fault says what it does: errors, slower, usage, arrives, …")
        return self


class WrittenIncident(Written):
    """One incident."""

    format: Literal["tidegate.incident/1"] = Field(
        alias="schema", description="The format of this file."
    )
    name: Name = Field(description="Its name, for commands.")
    title: Text = Field(description="Its name, for people.")
    text: Text = Field(description="What happened.")
    expected: Text | None = Field(
        default=None, description="What the plan `standard` makes of it, in words."
    )
    changed_path: ShareOrNone = Field(
        default=500,
        description="Share of requests that use what the change touches: what exercises count.",
        json_schema_extra={"default": "5%"},
    )
    faults: Annotated[list[WrittenFault], Field(min_length=1, max_length=50)] = Field(
        description="What goes wrong."
    )


def read_incident(text: str, *, file: str) -> WrittenIncident:
    """
    Return the incident that *text* (YAML or JSON) describes.

    Raises:
        InvalidDocumentError: it isn't strict YAML or doesn't fit the format; all problems are listed with
            their places.
    """
    document = read_yaml(text, file=file)
    try:
        return WrittenIncident.model_validate(document.value)
    except ValidationError as exc:
        problems = [_problem(error, document) for error in exc.errors(include_url=False)]
        raise invalid_document(file, problems) from None


def load_incident(path: Path) -> WrittenIncident:
    """
    Return the incident in the file at *path*.

    Raises:
        InvalidDocumentError: it can't be read, or see `read_incident`.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidDocumentError(
            f"{path} can't be read: {str(exc).lower()}",
            hint="name a file in the incident format; `tidegate simulate --help` says where it is shown",
        ) from exc
    return read_incident(text, file=str(path))


def incident_schema_text() -> str:
    """Return the JSON Schema of the format, for editors."""
    schema: dict[str, Any] = WrittenIncident.model_json_schema(by_alias=True)
    schema["title"] = "incident"
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _problem(error: Any, document: YamlDocument) -> Problem:
    path: KeyPath = tuple(error["loc"])
    where = path_text(path) or "the file"
    mark = document.positions.of_value(path)
    match error["type"]:
        case "notation":
            what, fix = str(error["ctx"]["what"]), str(error["ctx"]["fix"])
            return Problem(what=f"{where}: {what}", fix=fix, mark=mark)
        case "missing":
            return Problem(what=f"`{where}` is missing", fix=f"add `{path[-1]}: …`", mark=mark)
        case "extra_forbidden":
            model = WrittenFault if path[:1] == ("faults",) else WrittenIncident
            known = ", ".join(field.alias or name for name, field in model.model_fields.items())
            return Problem(
                what=f"unknown key `{where}`",
                fix=f"known here: {known}",
                mark=document.positions.of_key(path),
            )
        case _:
            words = str(error["msg"]).removeprefix("Value error, ").lower()
            what = f"{where}: {words}, got {shown(error['input'])}"
            return Problem(what=what, fix="correct the value", mark=mark)
