"""
Reads `tidegate.yaml`: from text to the resolved service, or to an error that lists all that is wrong.

Rule: nothing that breaks an error rule comes out of here, whether it was read from a file or received
as a resolved document; warnings come out with it. Whether lab targets are allowed depends on the
server and is asked elsewhere (`domain.plan.rules.check_lab`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tidegate.documents.canonical import canonical_json, digest_of_bytes
from tidegate.documents.components import REVERSIBLE_DRIVERS, FileComponent
from tidegate.documents.problems import (
    Complaint,
    KeyPath,
    Mark,
    Problem,
    invalid_document,
    place,
)
from tidegate.documents.resolve import Resolution, resolve
from tidegate.documents.resolved import DOCUMENT_NAME, from_document, to_document
from tidegate.documents.shape import check_shape
from tidegate.documents.written import ServiceFile
from tidegate.documents.yaml import MAX_BYTES, Positions, YamlDocument, read_yaml
from tidegate.domain.plan.findings import Finding, Severity
from tidegate.domain.plan.model import ServiceSpec
from tidegate.domain.plan.rules import check_service
from tidegate.errors import InvalidDocumentError

FILE_NAME: Final = "tidegate.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedService:
    """
    A service as it is run: the spec, the same as plain values, their digest, and what rules warn of.

    `canonical` is not to be changed: the digest is that of its canonical text.
    """

    spec: ServiceSpec
    canonical: dict[str, Any]
    digest: str
    findings: tuple[Finding, ...]

    @property
    def canonical_json(self) -> str:
        """The canonical text that `digest` is of."""
        return canonical_json(self.canonical)


def read_service(
    text: str, *, file: str, base_dir: Path, may_open_files: bool = True
) -> ResolvedService:
    """
    Return the service that *text* describes, with everything filled in.

    Args:
        text: The content of a `tidegate.yaml`.
        file: Its name for messages.
        base_dir: The folder that relative paths in it start from.
        may_open_files: Whether files that it names are read. Not for a text that was sent here: it would
            choose which files of this machine are opened.

    Raises:
        InvalidDocumentError: the text isn't strict YAML, doesn't fit the format, or breaks a rule of
            severity error. The message lists each problem as `file:line:column: what` and its fix.
    """
    document = read_yaml(text, file=file)
    written, complaints = check_shape(document.value)
    if written is None:
        raise invalid_document(file, placed(complaints, document.positions))
    if not may_open_files and (named := _named_files(written)):
        raise invalid_document(file, placed(named, document.positions))
    resolution, complaints = resolve(written, base_dir.absolute())
    if resolution is None:
        raise invalid_document(file, placed(complaints, document.positions))
    found = _marked(_check(resolution.spec), resolution, document)
    _refuse_errors(found, file)
    findings = tuple(replace(finding, place=place(file, mark)) for finding, mark in found)
    return _resolved(resolution.spec, findings)


def load_service(path: Path) -> ResolvedService:
    """
    Return the service that the file at *path* describes; relative paths start from its folder.

    Raises:
        InvalidDocumentError: there is no such file, it can't be read, or see `read_service`.
    """
    try:
        with path.open("rb") as file:
            # One byte more than allowed tells a large file without reading all of it.
            content = file.read(MAX_BYTES + 1)
        text = content.decode("utf-8")
    except OSError as exc:
        raise InvalidDocumentError(
            f"{path} can't be read: {(exc.strerror or str(exc)).lower()}",
            hint=f"Write it with `tidegate init`, or name another file than {FILE_NAME}.",
        ) from exc
    except UnicodeDecodeError as exc:
        raise InvalidDocumentError(
            f"{path} isn't UTF-8: byte {exc.start} is {content[exc.start]:#04x}",
            hint="Save it as UTF-8.",
        ) from exc
    return read_service(text, file=str(path), base_dir=path.parent)


def from_canonical(document: object) -> ResolvedService:
    """
    Return the service of a resolved document, which may come from outside.

    It gives exactly what `read_service` gave when the document was made, but for the places of
    findings: the text isn't known here.

    Raises:
        InvalidDocumentError: it isn't a resolved document, or it breaks a rule of severity error.
    """
    spec = from_document(document)
    findings = _check(spec)
    _refuse_errors([(finding, None) for finding in findings], DOCUMENT_NAME)
    return _resolved(spec, findings)


def _named_files(written: ServiceFile) -> list[Complaint]:
    """Return a complaint for each file that reading *written* would open."""
    return [
        Complaint(
            path=("components", name, "schema"),
            what="the file with the schema isn't read here",
            fix="leave `schema` out of this text",
        )
        for name, component in (written.components or {}).items()
        if isinstance(component, FileComponent) and component.json_schema is not None
    ]


def _check(spec: ServiceSpec) -> tuple[Finding, ...]:
    return check_service(spec, reversible_drivers=REVERSIBLE_DRIVERS)


def _resolved(spec: ServiceSpec, findings: tuple[Finding, ...]) -> ResolvedService:
    document = to_document(spec)
    text = canonical_json(document)
    return ResolvedService(
        spec=spec,
        canonical=document,
        digest=digest_of_bytes(text.encode("utf-8")),
        findings=findings,
    )


def _refuse_errors(found: Iterable[tuple[Finding, Mark | None]], file: str) -> None:
    problems = [
        Problem(what=f"{finding.message} [{finding.rule}]", fix=finding.fix, mark=mark)
        for finding, mark in found
        if finding.severity is Severity.ERROR
    ]
    if problems:
        raise invalid_document(file, problems)


def _marked(
    findings: Iterable[Finding], resolution: Resolution, document: YamlDocument
) -> list[tuple[Finding, Mark | None]]:
    """
    Return *findings* with the places they were written at.

    One written phase may stand for many resolved ones, which then all break the same rule: told once.
    """
    found: dict[object, tuple[Finding, Mark | None]] = {}
    for finding in findings:
        path = _written_path(finding.path, resolution, document.value)
        mark = document.positions.of_key(path)
        key = (finding.rule, path) if finding.path[:2] == ("plan", "phases") else finding
        found.setdefault(key, (finding, mark))
    return list(found.values())


def _written_path(path: KeyPath, resolution: Resolution, value: Any) -> KeyPath:
    """Return where in the file stands what is at *path* of the resolved document."""
    match path:
        case ("plan", "phases", int(index), "signals", str(name), *rest):
            entries = value.get("health", {}).get("signals", [])
            for number, entry in enumerate(entries):
                if isinstance(entry, dict) and entry.get("name") == name:
                    return ("health", "signals", number, *rest)
            written = (*resolution.phase_paths[index], "prove")
            return written if "prove" in _at(value, written[:-1]) else ("prove",)
        case ("plan", "phases", int(index), *rest):
            return (*resolution.phase_paths[index], *rest)
        case ("components", int(index), *rest):
            if "workload" in value:
                return ("workload", *rest)
            return ("components", resolution.spec.components[index].name, *rest)
        case ("plan", "warm_up"):
            return ("health", "warm_up")
        case ("plan", "no_data_halt_after"):
            return ("health", "no_data", "halt_after")
        case _:
            return path


def _at(value: Any, path: KeyPath) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return {}
    return value if isinstance(value, dict) else {}


def placed(complaints: Iterable[Complaint], positions: Positions) -> list[Problem]:
    """Return *complaints* with their places in the text."""
    return [
        Problem(
            what=complaint.what,
            fix=complaint.fix,
            mark=positions.of_key(complaint.path)
            if complaint.on_key
            else positions.of_value(complaint.path),
        )
        for complaint in complaints
    ]
