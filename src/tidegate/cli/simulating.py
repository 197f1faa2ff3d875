"""
What `simulate` is about: which plans, which scenarios, and how much traffic. Reads files and recordings.

Nothing is simulated here and nothing is printed.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tidegate.api.shapes.recording import Recording
from tidegate.api.shapes.rollout import Rollouts
from tidegate.api.showing.recording import read_recording
from tidegate.cli.asking import rollout_path
from tidegate.cli.found import FILE_NAME, find_file, named_service
from tidegate.cli.session import Session
from tidegate.documents.incidents import load_incident
from tidegate.documents.plan_choice import load_with_plan
from tidegate.documents.plans import DEFAULT_PLANS
from tidegate.documents.service_file import ResolvedService, load_service
from tidegate.errors import InvalidRequestError
from tidegate.usecases.simulation.choosing import USUAL, choose
from tidegate.usecases.simulation.comparing import NamedPlan
from tidegate.usecases.simulation.incidents import scenario_of
from tidegate.usecases.simulation.recorded import scenario_of_recording
from tidegate.usecases.simulation.scenario import Kind, Scenario

OWN_PLAN: Final = "main"
"""What the plan of the file itself is called beside others."""

PLAN_PREFIX: Final = "plan:"
_FILES: Final = (".yaml", ".yml")
LAST: Final = "last"
MOST_COMPARED: Final = 2


def is_plan(word: str) -> bool:
    """Return whether *word* names a plan or a file, and not a service."""
    return word.startswith(PLAN_PREFIX) or word.endswith(_FILES)


def service_file(given: Path | None) -> Path:
    """Return the service's file. Raises InvalidRequestError when none is given and none is near."""
    path = given or find_file()
    if path is None:
        raise InvalidRequestError(
            f"there is no {FILE_NAME} here or above",
            hint="name the service's file with -f; write one with `tidegate init`",
        )
    return path


def adopted_word(name: str) -> str:
    """Return the plan that *name* means where nothing is compared: of the library, or of a file here."""
    if is_plan(name):
        return name
    if name in DEFAULT_PLANS:
        return f"{PLAN_PREFIX}{name}"
    found = next((name + ending for ending in _FILES if Path(name + ending).is_file()), None)
    if found is None:
        raise InvalidRequestError(
            f"there is no plan {name!r}, and no file {name}{_FILES[0]} here",
            hint=f"take one of {', '.join(DEFAULT_PLANS)}, or name the file with the plan",
        )
    return found


def named_plans(service: str | None, file: Path | None, compare: Sequence[str]) -> list[NamedPlan]:
    """
    Return the plans to simulate: the file's own, or the one or two that are to be compared.

    Raises:
        InvalidRequestError: there is no file, it is of another service, or there are too many plans.
        InvalidDocumentError: a file can't be used, or there is no such plan.
    """
    path = service_file(file)
    own = load_service(path)
    named = named_service(service)
    if named is not None and own.spec.name != named:
        raise InvalidRequestError(
            f"{path} is of {own.spec.name}, not of {named}",
            hint="leave the service out, or name its own file with -f",
        )
    words = list(compare)
    if len(words) == 1:
        words.insert(0, f"{PLAN_PREFIX}{OWN_PLAN}")
    if len(words) > MOST_COMPARED:
        raise InvalidRequestError(
            f"two plans can be compared, got {len(words)}: {', '.join(words)}",
            hint="run it again for the others; the same seed gives the same luck",
        )
    if not words:
        return [NamedPlan(name=own.spec.plan.name, spec=own.spec)]
    plans = [_named_plan(word, path, own) for word in words]
    if plans[0].name == plans[1].name:
        raise InvalidRequestError(
            f"{words[0]} and {words[1]} are the same plan", hint="name two different ones"
        )
    return plans


def _named_plan(word: str, path: Path, own: ResolvedService) -> NamedPlan:
    if word.endswith(_FILES):
        return NamedPlan(name=word, spec=load_service(Path(word)).spec)
    name = word.removeprefix(PLAN_PREFIX)
    if name in (OWN_PLAN, own.spec.plan.name):
        return NamedPlan(name=name, spec=own.spec)
    return NamedPlan(name=name, spec=load_with_plan(path, name).spec)


def scenarios(
    session: Session,
    service: str,
    *,
    against: str | None,
    names: Sequence[str],
    incidents: Sequence[Path],
    rollouts: Sequence[str],
) -> list[Scenario]:
    """
    Return what the plans are to go through, incidents first, healthy changes last.

    A scenario, file or rollout that is named is all there is to go through, unless *against* says more.

    Raises:
        InvalidRequestError: *against* holds a word that isn't known, or there is no such scenario.
        InvalidDocumentError: a file isn't an incident.
        NotFoundError: there is no such rollout.
        ServerUnreachableError: rollouts are asked for, and there is no server.
    """
    kinds = _kinds(against, has_own=bool(names or incidents or rollouts))
    asked = list(rollouts) or ([LAST] if Kind.ROLLOUT in kinds else [])
    recorded = (_recorded(session, service, name) for name in asked)
    own = [scenario_of(load_incident(path)) for path in incidents]
    return [*own, *choose(kinds, names, recorded=recorded)]


def _kinds(against: str | None, *, has_own: bool) -> frozenset[Kind]:
    if against is None:
        return frozenset() if has_own else USUAL
    words = {word.strip() for word in against.split(",")}
    known = {kind.value for kind in Kind}
    unknown = sorted(words - known)
    if unknown:
        raise InvalidRequestError(
            f"--against doesn't know {unknown[0]!r}",
            hint=f"it can be, separated by commas: {', '.join(sorted(known))}",
        )
    return frozenset(Kind(word) for word in words)


def _recorded(session: Session, service: str, name: str) -> Scenario:
    with session.connect() as client:
        rollout = name
        if name == LAST:
            listed = client.get("/v1/rollouts", Rollouts, service=service, limit=50).rollouts
            over = [one.id for one in listed if one.is_final and not one.is_return]
            if not over:
                raise InvalidRequestError(
                    f"{service} has no rollout that is over",
                    hint="leave `rollouts` out, or name one: --rollouts ID",
                )
            rollout = over[0]
        shown = client.get(rollout_path(rollout, "recording"), Recording)
    if not any(period.signals and period.set_bps for period in shown.periods):
        raise InvalidRequestError(
            f"{shown.rollout} was never watched with users on it",
            hint="name one that reached its first users: tidegate rollout list",
        )
    return scenario_of_recording(read_recording(shown))
