"""
The components that this version can move, as they are written and as drivers receive them.

Each kind has two models: the written one (`ProcessComponent`, keys may be left out) and the resolved
one (`ProcessSettings`, every key there, null when absent, paths absolute). Drivers read only the
resolved one, as JSON. A new driver adds its pair here and its name to `SUPPORTED_DRIVERS`.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from tidegate.documents.canonical import canonical_json
from tidegate.documents.notation import (
    Address,
    Duration,
    InternalMark,
    Name,
    NotationError,
    Sticky,
    shown,
)
from tidegate.documents.yaml import MAX_BYTES

SUPPORTED_DRIVERS: Final = ("file", "process")
REVERSIBLE_DRIVERS: Final = frozenset(SUPPORTED_DRIVERS)
"""Drivers that can bring everyone back to the baseline at once."""

TAG_PREFIX: Final = "·"
"""Marks the choices of a union in pydantic's locations, so that they can be told from keys."""

MEMBER_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$"
DEFAULT_DOCUMENT_BYTES: Final = 1024 * 1024
LARGEST_DOCUMENT_BYTES: Final = 16 * 1024 * 1024


class Written(BaseModel):
    """Base of everything that is read from a file: no unknown keys, no conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


Text = Annotated[str, Field(min_length=1, max_length=4096)]
Member = Annotated[str, Field(pattern=MEMBER_PATTERN)]
Members = Annotated[list[Member], Field(min_length=1, max_length=10_000)]


class Probe(Written):
    """How it is found out whether a member is ready."""

    http: Annotated[str, Field(pattern=r"^/", max_length=1024)] = Field(
        description="Path that answers 2xx when the member is ready."
    )
    every: Duration = Field(
        default=timedelta(seconds=1),
        description="Pause between probes.",
        json_schema_extra={"default": "1s"},
    )


class Traffic(Written):
    """How requests reach the members."""

    driver: Literal["envoy"] = Field(description="The proxy that splits the traffic.")
    listen: Address = Field(description="Where users connect.")
    sticky: Sticky = Field(
        default="cookie:tg", description="What keeps a user on one side while the share grows."
    )
    internal: InternalMark | None = Field(
        default=None, description="What marks an internal user; they meet the candidate first."
    )


class ProcessComponent(Written):
    """Processes on this machine behind Envoy, kept running by Tidegate."""

    driver: Literal["process"] = Field(description="Processes on this machine.")
    kind: Literal["code"] = Field(default="code", description="For people and reports.")
    package: Text | None = Field(
        default=None, description="Python package whose versions are deployed. Needs `run`."
    )
    command: Annotated[list[Text], Field(min_length=1, max_length=256)] | None = Field(
        default=None, description="Program and arguments, with {port} and {version}."
    )
    run: Text | None = Field(
        default=None, description="Command of the package, with {port}; split as a shell would."
    )
    members: int = Field(default=2, ge=1, le=64, description="Processes that serve one version.")
    files: Annotated[list[Text], Field(max_length=1000)] = Field(
        default_factory=list,
        description="Files that make up a version of `command`; their content is in its digest.",
    )
    env: dict[Text, str] = Field(default_factory=dict, description="Environment of the members.")
    probe: Probe = Field(description="How it is found out whether a member is ready.")
    drain: Duration = Field(
        default=timedelta(seconds=10),
        description="Longest time a member may take to finish its requests.",
        json_schema_extra={"default": "10s"},
    )
    pools: Literal["canary", "blue-green"] = Field(
        default="canary",
        description="Candidate members grow with the share, or are all there from the start.",
    )
    traffic: Traffic = Field(description="How requests reach the members.")
    after: list[Name] = Field(default_factory=list, description="Components to be moved before.")


class FileComponent(Written):
    """A configuration document that consumers read from a folder."""

    driver: Literal["file"] = Field(description="A document in a folder per consumer.")
    kind: Literal["config"] = Field(default="config", description="For people and reports.")
    path: Text | None = Field(default=None, description="The document in the repository.")
    json_schema: Text | None = Field(
        default=None, alias="schema", description="JSON Schema that every version must satisfy."
    )
    dir: Text = Field(description="Folder with one sub-folder per consumer.")
    members: Members | None = Field(
        default=None,
        description="The consumers, by the names of their sub-folders; default every sub-folder.",
    )
    internal: list[Member] = Field(
        default_factory=list, description="Consumers that serve internal users only."
    )
    max_bytes: int = Field(
        default=DEFAULT_DOCUMENT_BYTES,
        ge=1,
        le=LARGEST_DOCUMENT_BYTES,
        description="Largest document that is accepted.",
    )
    keep_last_good: bool = Field(
        default=True, description="Consumers go on with their last good document."
    )
    after: list[Name] = Field(default_factory=list, description="Components to be moved before.")


def _driver_tag(value: Any) -> str | None:
    driver = value.get("driver") if isinstance(value, dict) else getattr(value, "driver", None)
    return f"{TAG_PREFIX}{driver}" if isinstance(driver, str) else None


Component = Annotated[
    Annotated[ProcessComponent, Tag(f"{TAG_PREFIX}process")]
    | Annotated[FileComponent, Tag(f"{TAG_PREFIX}file")],
    Discriminator(_driver_tag),
]


class ProbeSettings(Written):
    """A probe as drivers receive it."""

    http: str
    every_seconds: float


class TrafficSettings(Written):
    """The traffic part as drivers receive it."""

    driver: Literal["envoy"]
    listen: Address
    sticky: Sticky
    internal: InternalMark | None


class ProcessSettings(Written):
    """What the process driver receives."""

    driver: Literal["process"]
    package: str | None
    command: list[str] | None
    run: str | None
    members: Annotated[int, Field(ge=1, le=64)]
    files: list[str]
    env: dict[str, str]
    probe: ProbeSettings
    drain_seconds: Annotated[float, Field(ge=0)]
    pools: Literal["canary", "blue-green"]
    traffic: TrafficSettings


class FileSettings(Written):
    """What the file driver receives; `schema` is the JSON Schema itself."""

    driver: Literal["file"]
    path: str | None
    json_schema: dict[str, Any] | bool | None = Field(alias="schema")
    dir: str
    members: Members | None
    internal: list[Member]
    max_bytes: Annotated[int, Field(ge=1, le=LARGEST_DOCUMENT_BYTES)]
    keep_last_good: bool


Settings = ProcessSettings | FileSettings


def resolved_settings(component: ProcessComponent | FileComponent, base_dir: Path) -> Settings:
    """
    Return *component* with everything filled in; relative paths stand under *base_dir*.

    Raises:
        NotationError: keys that exclude or need one another, or a JSON Schema that can't be read.
    """
    if isinstance(component, ProcessComponent):
        return _process_settings(component, base_dir)
    return _file_settings(component, base_dir)


def has_internal_way(settings: Settings) -> bool:
    """Return whether internal users can meet the candidate before everyone else."""
    if isinstance(settings, ProcessSettings):
        return settings.traffic.internal is not None
    return bool(settings.internal)


def _process_settings(component: ProcessComponent, base_dir: Path) -> ProcessSettings:
    _check_process(component)
    absolute = {name: str(base_dir / name) for name in component.files}
    command = component.command
    if command is not None:
        # A word of the command that is one of the files is that file, wherever it is started.
        command = [absolute.get(word, word) for word in command]
    traffic = component.traffic
    return ProcessSettings(
        driver="process",
        package=component.package,
        command=command,
        run=component.run,
        members=component.members,
        files=list(absolute.values()),
        env=component.env,
        probe=ProbeSettings(
            http=component.probe.http, every_seconds=component.probe.every.total_seconds()
        ),
        drain_seconds=component.drain.total_seconds(),
        pools=component.pools,
        traffic=TrafficSettings(
            driver=traffic.driver,
            listen=traffic.listen,
            sticky=traffic.sticky,
            internal=traffic.internal,
        ),
    )


def _check_process(component: ProcessComponent) -> None:
    if (component.package is None) == (component.command is None):
        raise NotationError(
            "a process component has exactly one of `package` and `command`",
            'write `package: NAME` with `run: "… --port {port}"`, or `command: [PROGRAM, …]`',
        )
    if component.package is not None and component.run is None:
        raise NotationError(
            "`package` needs `run`", f'add run: "{component.package} --port {{port}}"'
        )
    if component.command is not None and component.run is not None:
        raise NotationError("`run` belongs to `package`", "put its words into `command`", key="run")
    if component.package is not None and component.files:
        raise NotationError(
            "`files` belongs to `command`", "remove it: the package is the version", key="files"
        )
    words = component.command or [component.run or ""]
    if not any("{port}" in word for word in words):
        raise NotationError(
            "the command doesn't say where the port goes",
            'add an argument with {port}, as in "--port {port}"',
            key="command" if component.command else "run",
        )
    if component.probe.every.total_seconds() <= 0:
        raise NotationError("probe.every must be above 0s", "write every: 1s", key="probe")


def _file_settings(component: FileComponent, base_dir: Path) -> FileSettings:
    members = component.members
    if members is not None:
        if len(set(members)) != len(members):
            raise NotationError(
                "a member stands twice in `members`", "keep one of the two", key="members"
            )
        strangers = [name for name in component.internal if name not in members]
        if strangers:
            raise NotationError(
                f"`internal` names {strangers[0]}, which isn't in `members`",
                "add it to `members`",
                key="internal",
            )
    path = component.path
    return FileSettings(
        driver="file",
        path=None if path is None else str(base_dir / path),
        schema=None
        if component.json_schema is None
        else _json_schema(base_dir / component.json_schema),
        dir=str(base_dir / component.dir),
        members=component.members,
        internal=component.internal,
        max_bytes=component.max_bytes,
        keep_last_good=component.keep_last_good,
    )


def _json_schema(path: Path) -> Any:
    try:
        return _checked_schema(path)
    except NotationError as exc:
        raise NotationError(f"{path} {exc.what}", exc.fix, key="schema") from exc


def _checked_schema(path: Path) -> Any:
    fix = "write a JSON Schema (draft 2020-12) into that file, or remove `schema`"
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as exc:
        raise NotationError(f"can't be read: {(exc.strerror or str(exc)).lower()}", fix) from exc
    if len(content) > MAX_BYTES:
        raise NotationError(f"is larger than {MAX_BYTES} bytes", fix)
    try:
        schema = json.loads(content)
        # What has no canonical text (NaN, endless nesting) could not be part of the document.
        canonical_json(schema)
    except (ValueError, RecursionError) as exc:
        raise NotationError(f"isn't JSON that can be used: {exc}", fix) from exc
    if not isinstance(schema, dict | bool):
        raise NotationError("isn't a JSON Schema", fix)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as exc:
        raise NotationError(f"isn't a JSON Schema: {exc.message[:300]}", fix) from exc
    reference = _outside_reference(schema)
    if reference is not None:
        raise NotationError(
            f"refers to {shown(reference)}, and nothing is fetched from elsewhere",
            "copy what it refers to into $defs of the same file",
        )
    return schema


def _outside_reference(schema: object) -> str | None:
    """Return the first reference in *schema* that leaves the file, if there is one."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            reference = part.get("$ref", part.get("$dynamicRef"))
            if isinstance(reference, str) and not reference.startswith("#"):
                return reference
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return None
