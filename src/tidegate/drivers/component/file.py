"""
Moves configuration: documents in files, followed by consumers that answer.

`DIR/MEMBER/desired.json` `{"digest", "document", "generation"}` is what a member shall serve, as
canonical JSON; `applied.json` `{"generation", "digest", "error"}` is its answer. What the target was
told is kept beside them, in `DIR/.tidegate`: `told.json` by whoever moves it, under a lock, and
`stop.json` by withdrawals, which need no lock, so that one can't be kept waiting by a controller
that hangs while it holds the lock.

A controller that wakes up late is refused three times: by `told.json`, by `stop.json` (read again
before each file that is written), and by the consumer, which ignores generations older than it has
seen. Only what members answered counts as served. Which consumers there are and what they make of a
document must not be known here.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final, TypeVar

from tidegate.documents.canonical import canonical_json
from tidegate.documents.records import from_json, to_json
from tidegate.domain.quantities import (
    NO_EXPOSURE,
    Arm,
    Generation,
    Placement,
    Version,
)
from tidegate.drivers.component.fencing import (
    Served,
    after_apply,
    after_finish,
    after_retirement,
    after_withdrawal,
    refuse_late,
)
from tidegate.drivers.component.file_documents import DocumentStore, read_version
from tidegate.drivers.component.file_members import candidate_members, exposure_of
from tidegate.drivers.component.placement_folder import folder_of
from tidegate.drivers.durable import locked, read_file, replace_file
from tidegate.errors import StoreError, WorkloadError
from tidegate.ports.component import Applied, Assignment, Member

LOCK_WAIT: Final = timedelta(seconds=10)
WITHDRAWAL_LOCK_WAIT: Final = timedelta(seconds=0.5)
"""A withdrawal that waited this long goes on without the lock: see the rules above."""
DEFAULT_MAX_BYTES: Final = 256 * 1024
OWN_FOLDER: Final = ".tidegate"

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Where a placement's consumers are. *members* empty: every folder in *directory* is one."""

    directory: str
    members: tuple[str, ...] = ()
    internal: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """Return the members there are now, sorted."""
        if self.members:
            return tuple(sorted(self.members))
        folder = Path(self.directory)
        if not folder.is_dir():
            return ()
        return tuple(
            sorted(
                entry.name
                for entry in folder.iterdir()
                if entry.is_dir() and not entry.name.startswith(".")
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    """A withdrawal: the generation it moved the target to, and the latch."""

    generation: Generation
    stopped_at_generation: Generation


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a member says it serves. `note` says what is wrong with it."""

    generation: int
    digest: str
    note: str


class FileComponent:
    """Moves documents between the consumers of a folder; *root* is for what this driver keeps."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._documents = DocumentStore(root / "documents")

    async def resolve(self, version: str, settings_json: str) -> Version:
        """
        Read, check and keep the document at the path *version*.

        Raises:
            VersionNotFoundError: there is none, or it has another digest than asked for.
            InvalidDocumentError: it can't be served as written.
        """
        settings = json.loads(settings_json)
        base = settings.get("path")
        return await asyncio.to_thread(
            read_version,
            version,
            folder=Path(base).parent if base else None,
            schema=settings.get("schema"),
            max_bytes=settings.get("max_bytes") or DEFAULT_MAX_BYTES,
            store=self._documents,
        )

    def text_of(self, digest: str) -> str:
        """Return what the version with *digest* says; see `ports.contents`."""
        return self._documents.read(digest)

    async def apply(self, assignment: Assignment) -> None:
        """Tell every member what it shall serve; see the port."""
        audience = _audience(assignment)
        placement = assignment.placement
        if not audience.names():
            raise WorkloadError(
                f"{placement} has no members in {audience.directory}",
                hint="Start a consumer there, or name the members in the component.",
            )
        async with locked(_lock(audience), wait=LOCK_WAIT):
            _refuse_other_owner(audience, placement)
            told = after_apply(self._told(placement, audience), assignment)
            # Read before anything is written: half a delivery is worse than none.
            texts = self._texts(told)
            await asyncio.to_thread(self._note, placement, audience, told)
            await asyncio.to_thread(_deliver, audience, told, texts)

    async def observe(self, placement: Placement) -> Applied:
        """Return what the members answer; see the port."""
        audience = self._audience_of(placement)
        told = self._told(placement, audience)
        if audience is None or told.baseline is None:
            return Applied(
                placement=placement,
                exposure=NO_EXPOSURE,
                generation=told.generation,
                settled=False,
                why_not="nothing was ever applied",
                serving=None,
                candidate=None,
                stopped_at_generation=told.stopped_at_generation,
            )
        return await asyncio.to_thread(_seen, placement, audience, told)

    async def withdraw(self, placement: Placement, generation: Generation | None) -> None:
        """Latch the stop, then give every member the baseline again; see the port."""
        audience = self._audience_of(placement)
        told = after_withdrawal(self._told(placement, audience), generation)
        assert told.stopped_at_generation is not None, "a withdrawal always latches"
        stop = _Stop(generation=told.generation, stopped_at_generation=told.stopped_at_generation)
        path = self._stop_path(placement, audience)
        await asyncio.to_thread(replace_file, path, to_json(stop))
        if audience is None or told.baseline is None:
            return
        texts = self._texts(told)
        try:
            async with locked(_lock(audience), wait=WITHDRAWAL_LOCK_WAIT):
                await asyncio.to_thread(_deliver, audience, told, texts)
        except WorkloadError:
            await asyncio.to_thread(_deliver, audience, told, texts)

    async def finish(self, placement: Placement, generation: Generation) -> None:
        """Note that the candidate is the baseline now; no member notices. See the port."""
        await self._change(placement, lambda told: after_finish(told, generation))

    async def retire(self, placement: Placement) -> None:
        """Forget the versions that no member is told to serve; see the port."""
        await self._change(placement, after_retirement)

    async def _change(self, placement: Placement, change: Callable[[Served], Served]) -> None:
        audience = self._audience_of(placement)
        if audience is None:
            change(self._told(placement, None))
            return
        async with locked(_lock(audience), wait=LOCK_WAIT):
            before = self._told(placement, audience)
            told = change(before)
            if told != before:
                await asyncio.to_thread(self._note, placement, audience, told)

    def _texts(self, told: Served) -> Mapping[str, str]:
        versions = [told.baseline, told.candidate if told.exposure != NO_EXPOSURE else None]
        return {
            version.digest: self._documents.read(version.digest)
            for version in versions
            if version is not None
        }

    def _note(self, placement: Placement, audience: Audience, told: Served) -> None:
        replace_file(folder_of(self._root, placement) / "audience.json", to_json(audience))
        # The latch lives in stop.json alone, where a withdrawal can write it without the lock.
        kept = replace(told, stopped_at_generation=None)
        replace_file(_own(audience) / "placement", str(placement))
        replace_file(_own(audience) / "told.json", to_json(kept))

    def _told(self, placement: Placement, audience: Audience | None) -> Served:
        """Return what the target was last told, a withdrawal included."""
        told = Served()
        if audience is not None:
            told = _record(Served, _own(audience) / "told.json") or told
        stops = [
            _record(_Stop, path)
            for path in {self._stop_path(placement, audience), self._stop_path(placement, None)}
        ]
        for stop in stops:
            # A later generation has opened the placement again; the file tells of the past then.
            if stop is not None and stop.stopped_at_generation >= told.generation:
                told = replace(
                    told,
                    generation=Generation(max(told.generation, stop.generation)),
                    exposure=NO_EXPOSURE,
                    stopped_at_generation=Generation(
                        max(told.stopped_at_generation or 0, stop.stopped_at_generation)
                    ),
                )
        return told

    def _stop_path(self, placement: Placement, audience: Audience | None) -> Path:
        # Before the first apply nobody knows where the target is: the stop waits for it here.
        folder = folder_of(self._root, placement) if audience is None else _own(audience)
        return folder / "stop.json"

    def _audience_of(self, placement: Placement) -> Audience | None:
        return _record(Audience, folder_of(self._root, placement) / "audience.json")


def _audience(assignment: Assignment) -> Audience:
    """Return where the members are; the target's own settings come before the component's."""
    settings = json.loads(assignment.settings_json) | json.loads(assignment.target_settings_json)
    return Audience(
        directory=settings["dir"],
        members=tuple(settings.get("members") or ()),
        internal=tuple(settings.get("internal") or ()),
    )


def _own(audience: Audience) -> Path:
    return Path(audience.directory) / OWN_FOLDER


def _lock(audience: Audience) -> Path:
    return _own(audience) / "lock"


def _refuse_other_owner(audience: Audience, placement: Placement) -> None:
    owner = read_file(_own(audience) / "placement")
    if owner is not None and owner != str(placement):
        raise WorkloadError(
            f"{audience.directory} belongs to {owner}",
            hint="Give every component and target a folder of its own.",
        )


def _record(kind: type[Record], path: Path) -> Record | None:
    text = read_file(path)
    if text is None:
        return None
    try:
        return from_json(kind, text)
    except StoreError as exc:
        raise WorkloadError(f"{path} can't be used: {exc.message}", hint=exc.hint) from exc


def _generation_of(told: Served) -> int:
    """Return what the files carry: at least the latch, so that members refuse what is below it."""
    return max(told.generation, told.stopped_at_generation or 0)


def _digests(audience: Audience, told: Served) -> Mapping[str, str]:
    """Return which digest each member shall serve."""
    assert told.baseline is not None, "members are told only of placements that serve"
    names = audience.names()
    chosen = frozenset[str]()
    if told.candidate is not None:
        chosen = candidate_members(
            names, audience.internal, told.exposure, salt=told.candidate.digest
        )
    candidate = told.candidate.digest if told.candidate is not None else ""
    return {name: candidate if name in chosen else told.baseline.digest for name in names}


def _deliver(audience: Audience, told: Served, texts: Mapping[str, str]) -> None:
    """Write each member's file where it says something else; may be repeated."""
    for name, digest in _digests(audience, told).items():
        stop = _record(_Stop, _own(audience) / "stop.json")
        if stop is not None and told.stopped_at_generation is None:
            refuse_late(told.generation, Served(stopped_at_generation=stop.stopped_at_generation))
        text = (
            f'{{"digest":{canonical_json(digest)},"document":{texts[digest]},'
            f'"generation":{_generation_of(told)}}}'
        )
        path = Path(audience.directory) / name / "desired.json"
        if read_file(path) != text:
            replace_file(path, text)


def _seen(placement: Placement, audience: Audience, told: Served) -> Applied:
    wanted = _digests(audience, told)
    answers = {name: _answer(Path(audience.directory) / name, told) for name in wanted}
    candidate = told.candidate.digest if told.candidate is not None else None
    members = tuple(
        Member(
            name=name,
            arm=Arm.CANDIDATE if digest == candidate else Arm.BASELINE,
            digest=answers[name].digest,
            ready=answers[name].digest == digest and not answers[name].note,
            note=answers[name].note,
        )
        for name, digest in wanted.items()
    )
    why_not = next(
        (_problem(member, wanted[member.name]) for member in members if not member.ready), ""
    ) or ("" if members else "there are no members")
    meeting = {
        name
        for name, answer in answers.items()
        # Who doesn't answer may serve what it was told: counted in, never out.
        if candidate is not None and (answer.digest or wanted[name]) == candidate
    }
    asked = {name for name, digest in wanted.items() if digest == candidate}
    exposure = told.exposure
    if meeting != asked:
        exposure = exposure_of(meeting, tuple(wanted), audience.internal)
    return Applied(
        placement=placement,
        exposure=exposure,
        generation=told.generation,
        settled=not why_not,
        why_not=why_not,
        serving=told.baseline,
        candidate=told.candidate,
        members=members,
        arms=_labels(told, wanted),
        stopped_at_generation=told.stopped_at_generation,
    )


def _labels(told: Served, wanted: Mapping[str, str]) -> Mapping[Arm, Mapping[str, str]]:
    arms = {Arm.BASELINE: told.baseline, Arm.CANDIDATE: told.candidate}
    return {
        arm: {
            "version": version.name,
            "digest": version.digest,
            "members": ",".join(n for n, digest in wanted.items() if digest == version.digest),
        }
        for arm, version in arms.items()
        if version is not None
    }


def _answer(folder: Path, told: Served) -> _Answer:
    text = read_file(folder / "applied.json")
    if text is None:
        return _Answer(0, "", "it has never answered")
    try:
        fields = json.loads(text)
        generation, digest = int(fields["generation"]), str(fields["digest"])
        error = fields.get("error")
    except (ValueError, KeyError, TypeError, AttributeError):
        return _Answer(0, "", "its answer can't be read")
    if error:
        return _Answer(generation, digest, f"it refused the document: {str(error)[:200]}")
    if generation != _generation_of(told):
        return _Answer(generation, digest, f"it hasn't taken generation {_generation_of(told)} yet")
    return _Answer(generation, digest, "")


def _problem(member: Member, wanted: str) -> str:
    if member.note:
        return f"member {member.name} isn't ready: {member.note}"
    return f"member {member.name} serves {member.digest or 'nothing'}, not {wanted}"
