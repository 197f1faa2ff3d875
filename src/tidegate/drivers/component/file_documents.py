"""
Reads documents of configuration, refuses what can't be meant, and keeps them by content.

A version of a `config` component is the path of a JSON file; what counts from then on is its
content: the kept copy is named by its digest, so a later edit of the file changes nothing that was
planned, approved or served. No code of the user runs here: only JSON Schema, size and shape.
"""

import json
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from tidegate.documents.canonical import canonical_json, digest_of_bytes
from tidegate.domain.quantities import Version
from tidegate.drivers.durable import read_file, replace_file
from tidegate.errors import InvalidDocumentError, VersionNotFoundError, WorkloadError

LONGEST_MESSAGE: Final = 300
"""A schema's message quotes the value, which may be the whole document."""


class DocumentStore:
    """Keeps documents by their digest under *root*."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def keep(self, text: str) -> str:
        """Keep the canonical *text* and return its digest."""
        digest = digest_of_bytes(text.encode("utf-8"))
        path = self._path(digest)
        if not path.exists():
            replace_file(path, text)
        return digest

    def read(self, digest: str) -> str:
        """
        Return the canonical text with *digest*.

        Raises:
            WorkloadError: it isn't kept here, or was changed on disk.
        """
        text = read_file(self._path(digest))
        if text is None or digest_of_bytes(text.encode("utf-8")) != digest:
            raise WorkloadError(
                f"the document {digest} isn't kept here"
                if text is None
                else f"the kept copy of document {digest} was changed",
                hint="Name its file again as a change, so that it is read anew.",
            )
        return text

    def _path(self, digest: str) -> Path:
        return self._root / f"{digest.removeprefix('sha256:')}.json"


def read_version(
    version: str, *, folder: Path | None, schema: object, max_bytes: int, store: DocumentStore
) -> Version:
    """
    Read, check and keep the document that *version* names.

    Args:
        version: The path of a JSON file, with `@sha256:…` when only that content will do.
        folder: What a relative path starts from; without it only absolute ones are taken.
        schema: A JSON Schema that the document must meet, or None.
        max_bytes: The largest document that is taken, as canonical JSON.
        store: Where the content is kept.

    Raises:
        VersionNotFoundError: there is no such file, or its content has another digest.
        InvalidDocumentError: it isn't strict JSON, is too large or empty, or breaks the schema.
    """
    name, _, wanted = version.partition("@sha256:")
    document = _parse(name, _read_source(name, folder, max_bytes))
    if document in (None, "", [], {}):
        # Nobody means to configure nothing; a truncated or forgotten file looks just like this.
        raise InvalidDocumentError(
            f"{name} is empty: {json.dumps(document)}", hint="Write what shall be served."
        )
    try:
        text = canonical_json(document)
    except (TypeError, ValueError) as exc:
        raise InvalidDocumentError(
            f"{name} can't be written as canonical JSON: {exc}",
            hint="Write large numbers as text, and only valid Unicode.",
        ) from exc
    if schema is not None:
        _check_schema(name, document, schema)
    digest = digest_of_bytes(text.encode("utf-8"))
    if wanted and digest != f"sha256:{wanted}":
        raise VersionNotFoundError(
            f"{name} has the digest {digest}, not sha256:{wanted}",
            hint="The file was changed. Take its present digest, or put the content back.",
        )
    return Version(name=name, digest=store.keep(text))


def _read_source(name: str, folder: Path | None, max_bytes: int) -> str:
    path = Path(name)
    if not path.is_absolute():
        if folder is None:
            raise VersionNotFoundError(
                f"{name} is a relative path, and the component has no path to start from",
                hint="Give the full path of the document.",
            )
        path = folder / path
    try:
        # One byte more than allowed tells a large file without reading all of it.
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as exc:
        raise VersionNotFoundError(
            f"there is no document {path}: {exc.strerror}", hint="Check the path and the mode."
        ) from exc
    if len(content) > max_bytes:
        raise InvalidDocumentError(
            f"{name} is larger than {max_bytes} bytes",
            hint="Make it smaller, or raise max_bytes of the component.",
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise InvalidDocumentError(f"{name} isn't UTF-8: {exc}", hint="Save it as UTF-8.") from exc


def _parse(name: str, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        problem = "it is nested too deeply" if isinstance(exc, RecursionError) else str(exc)
        raise InvalidDocumentError(
            f"{name} isn't JSON that can be used: {problem}", hint="Correct it and name it again."
        ) from exc


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return members


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")


def _check_schema(name: str, document: Any, schema: Any) -> None:
    validator = validator_for(schema, default=Draft202012Validator)
    try:
        validator.check_schema(schema)
        # The registry is empty and fetches nothing: references must stay inside the schema.
        found = best_match(validator(schema, registry=Registry()).iter_errors(document))
    except (SchemaError, Unresolvable) as exc:
        raise InvalidDocumentError(
            f"the schema for {name} can't be used: {str(exc)[:LONGEST_MESSAGE]}",
            hint="Correct the schema; references must stay inside it.",
        ) from exc
    if isinstance(found, ValidationError):
        raise InvalidDocumentError(
            f"{name} breaks its schema at {found.json_path}: {found.message[:LONGEST_MESSAGE]}",
            hint="Correct the document, or the schema if it is behind.",
        )
