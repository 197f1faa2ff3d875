"""
The gate `provenance`: each changed component was built by a builder that we trust, from our source.

Works without any network. Rule: whatever could be given to the build from outside is either what is
expected or refused, so nobody builds something else with the right builder. A ref or parameter that
isn't known is refused, not ignored.

Source: SLSA v1.0, "Verifying artifacts" (steps 1 to 3) and "Provenance" (schema of the predicate).
"""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta

from tidegate.documents.canonical import canonical_json
from tidegate.documents.gates import settings_of
from tidegate.documents.gates_verifying import PROVENANCE_TYPE, ProvenanceSettings
from tidegate.domain.durations import rough_duration
from tidegate.drivers.gate.checks import Check, RefusedError
from tidegate.drivers.gate.patterns import fits
from tidegate.drivers.gate.statements import Accepted, Statement, judge
from tidegate.drivers.gate.strict_json import Json, Object, object_in, objects_in, text_in
from tidegate.drivers.gate.submitted import CLOCK_SKEW, quoted, read_time
from tidegate.ports.gate import GateAnswer, GateQuestion

_MAXIMUM_DEPTH = 20
"""Of external parameters; those of real builds are two or three deep."""


class ProvenanceGate:
    """Answers the gate `provenance` from submitted SLSA provenance."""

    async def check(self, question: GateQuestion) -> GateAnswer:
        """Return whether each artifact was built as expected; see `ports.gate`."""
        settings = settings_of(question.spec, ProvenanceSettings)

        def examine(statement: Statement) -> Accepted:
            return _examine(statement, settings, question.now)

        return await asyncio.to_thread(judge, question, settings, examine)


def _examine(statement: Statement, settings: ProvenanceSettings, now: datetime) -> Accepted:
    if statement.predicate_type != PROVENANCE_TYPE:
        raise RefusedError(
            Check.PREDICATE_TYPE,
            f"the statement about it is a {quoted(statement.predicate_type)}, not provenance v1",
        )
    build = object_in(statement.predicate, "buildDefinition")
    details = object_in(statement.predicate, "runDetails")
    builder = text_in(object_in(details, "builder"), "id") or ""
    trusted_to = settings.trust_in(builder)
    if not trusted_to:
        raise RefusedError(Check.BUILDER, f"the builder {quoted(builder)} isn't trusted")
    build_type = text_in(build, "buildType") or ""
    if build_type not in settings.build_type:
        raise RefusedError(Check.BUILD_TYPE, f"it was built as {quoted(build_type)}")
    parameters = _flat(object_in(build, "externalParameters"))
    source, ref = _check_source(parameters, settings)
    _check_parameters(parameters, settings)
    age = _age(object_in(details, "metadata"), statement.signed_at, now)
    if age >= settings.max_age:
        raise RefusedError(Check.FRESHNESS, f"it was built {rough_duration(age)} ago")
    if trusted_to < settings.level:
        raise RefusedError(
            Check.LEVEL,
            f"level {settings.level} is demanded, its builder is trusted up to {trusted_to}",
        )
    return Accepted(
        because=f"was built by {quoted(builder, 200)} from {source} at {ref}",
        facts=(
            ("builder", builder),
            ("build type", build_type),
            ("source", source),
            ("ref", ref),
            ("commit", _commit(build, source)),
            ("level", str(trusted_to)),
            *statement.signed_facts,
            ("age", rough_duration(age)),
        ),
        lasts=settings.max_age - age,
    )


def _flat(parameters: Object) -> dict[str, Json]:
    """Return *parameters* by dotted name: `{workflow: {ref: x}}` is `workflow.ref`."""
    flat: dict[str, Json] = {}
    for name, value in _leaves(parameters, (), _MAXIMUM_DEPTH):
        flat[name] = value
    return flat


def _leaves(parameters: Object, above: tuple[str, ...], depth: int) -> Iterator[tuple[str, Json]]:
    for key, value in parameters.items():
        name = ".".join((*above, key))
        if not key or "." in key or depth == 0:
            # With a dot inside, two parameters could pass for one another.
            raise RefusedError(
                Check.PARAMETERS, f"the parameter {quoted(name)} can't be told apart"
            )
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*above, key), depth - 1)
        else:
            yield name, value


def _check_source(parameters: dict[str, Json], settings: ProvenanceSettings) -> tuple[str, str]:
    """Return the source and the ref that the build was given, once they are what is expected."""
    source = parameters.get(settings.source_at)
    if not isinstance(source, str) or _repository(source) != _repository(settings.source):
        raise RefusedError(Check.SOURCE, f"it was built from {quoted(source)}")
    ref = parameters.get(settings.ref_at)
    if settings.ref_at == settings.source_at:
        ref = _ref_in(source)
    if not isinstance(ref, str) or not any(fits(ref, pattern) for pattern in settings.ref):
        raise RefusedError(Check.SOURCE, f"it was built from the ref {quoted(ref)}")
    return _repository(source), ref


def _repository(uri: str) -> str:
    """Return the repository that *uri* names, without the ref that may follow it."""
    return uri.removeprefix("git+").partition("@refs/")[0].removesuffix("/").removesuffix(".git")


def _ref_in(uri: str) -> str:
    return "refs/" + uri.partition("@refs/")[2]


def _check_parameters(parameters: dict[str, Json], settings: ProvenanceSettings) -> None:
    for name, value in parameters.items():
        if name in {settings.source_at, settings.ref_at, *settings.any_parameters} or value == {}:
            continue
        if name not in settings.parameters:
            raise RefusedError(
                Check.PARAMETERS, f"the build was given {quoted(name)}, which isn't expected"
            )
        if not _is_same(value, settings.parameters[name]):
            raise RefusedError(
                Check.PARAMETERS, f"the build was given {quoted(name)} as {quoted(value)}"
            )
    missing = sorted(set(settings.parameters) - set(parameters))
    if missing:
        raise RefusedError(Check.PARAMETERS, f"the build wasn't given {quoted(missing[0])}")


def _is_same(value: Json, expected: object) -> bool:
    """Return whether both are the same JSON; true isn't 1."""
    try:
        return canonical_json(value) == canonical_json(expected)
    except ValueError:
        return False


def _age(metadata: Object, signed_at: datetime | None, now: datetime) -> timedelta:
    text = text_in(metadata, "finishedOn") or text_in(metadata, "startedOn")
    # GitHub's provenance has no times. Its builder signs at the end of a build, and a log proves when.
    built = signed_at if text is None else read_time(text)
    if built is None:
        raise RefusedError(Check.FRESHNESS, "it doesn't say when it was built")
    if built > now + CLOCK_SKEW:
        raise RefusedError(Check.FRESHNESS, f"it was built in the future, at {quoted(text)}")
    return max(now - built, timedelta(0))


def _commit(build: Object, source: str) -> str:
    """Return the commit of *source* that the build says it resolved, for people."""
    for dependency in objects_in(build, "resolvedDependencies"):
        if _repository(text_in(dependency, "uri") or "") == source:
            return text_in(object_in(dependency, "digest"), "gitCommit") or "not told"
    return "not told"
