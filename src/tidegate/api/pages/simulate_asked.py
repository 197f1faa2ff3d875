"""
What an address of the plan simulator asks for: which plans, through what, how often, with which luck.

The address is all there is: the same one shows the same numbers to whoever opens it. Nothing is simulated
here.
"""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Depends, Query

from tidegate.api.pages.kept_texts import KeptTexts
from tidegate.api.routes.known import resolved_service
from tidegate.documents.canonical import digest_of
from tidegate.documents.service_file import FILE_NAME, ResolvedService, read_service
from tidegate.domain.access.model import Caller
from tidegate.domain.access.permissions import Permission
from tidegate.errors import InvalidRequestError
from tidegate.usecases.access import refuse_unless_allowed
from tidegate.usecases.outside import Outside
from tidegate.usecases.reading import find_rollout
from tidegate.usecases.resources import resource_of_start
from tidegate.usecases.simulation.choosing import choose
from tidegate.usecases.simulation.comparing import Comparison, NamedPlan
from tidegate.usecases.simulation.recorded import record_rollout, scenario_of_recording
from tidegate.usecases.simulation.scenario import Kind, Scenario
from tidegate.usecases.simulation.usage import ASSUMED_REQUESTS_PER_SECOND

KINDS: Final = (Kind.INCIDENT, Kind.FAULT, Kind.AA)
"""What can be gone through as a whole, in the order of the form."""

USUAL_KINDS: Final = (Kind.INCIDENT.value, Kind.AA.value)
RUNS: Final = 3
MOST_RUNS: Final = 10
"""More of each is a matter for the command: it has a machine of its own."""

EDITED: Final = "edited"
BESIDE: Final = "beside it"
"""What texts are called in results: the first, and one that is compared with it."""

NO_ROOT: Final = Path("/nowhere")
"""Where relative paths of a text start from: nothing of it is opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The query of an address, as it stands there. `text` and `other_text` are digests of kept texts."""

    service: str = ""
    text: str = ""
    other: str = ""
    other_text: str = ""
    against: tuple[str, ...] = ()
    scenario: str = ""
    rollout: str = ""
    runs: int = RUNS
    seed: int = 1
    traffic: float = ASSUMED_REQUESTS_PER_SECOND

    @property
    def names_plan(self) -> bool:
        """Whether there is something to simulate."""
        return bool(self.service or self.text)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is gone through as a whole. What is named is all there is, unless more is said."""
        if self.against or self.scenario or self.rollout:
            return self.against
        return USUAL_KINDS

    @property
    def beside_name(self) -> str:
        """What the command calls the plan beside it: its file, without the ending."""
        return self.other or "beside"

    def address(self, path: str = "/simulate", **changes: Any) -> str:
        """Return the address on *path* that asks the same, but for *changes*."""
        usual = asdict(Said())
        asked = {**asdict(self), **changes}
        said = {name: value for name, value in asked.items() if value != usual[name]}
        query = urlencode(said, doseq=True)
        return f"{path}?{query}" if query else path

    def command(self, *, beside: str = "", adopt: str = "") -> str:
        """
        Return the command that simulates the same where the files of the plans are.

        Args:
            beside: The plan that is compared; by default the file of the other text or service.
            adopt: The plan to adopt then, if any.
        """
        words = [
            "tidegate",
            "simulate",
            *([self.service] if self.service else ["-f", "edited.yaml"]),
        ]
        if self.other or self.other_text:
            words += ["--compare", "plan:main", beside or f"{self.beside_name}.yaml"]
        if self.kinds:
            words += ["--against", ",".join(self.kinds)]
        if self.scenario:
            words += ["--scenario", self.scenario]
        if self.rollout:
            words += ["--rollouts", self.rollout]
        words += ["--runs", str(self.runs), "--seed", str(self.seed)]
        words += ["--traffic", f"{self.traffic:g}/s"]
        return shlex.join([*words, *(["--adopt", adopt] if adopt else [])])


def _said(
    service: Annotated[str, Query(max_length=200)] = "",
    text: Annotated[str, Query(max_length=64)] = "",
    other: Annotated[str, Query(max_length=200)] = "",
    other_text: Annotated[str, Query(max_length=64)] = "",
    against: Annotated[tuple[str, ...], Query(max_length=len(Kind))] = (),
    scenario: Annotated[str, Query(max_length=100)] = "",
    rollout: Annotated[str, Query(max_length=100)] = "",
    runs: Annotated[int, Query(ge=1, le=MOST_RUNS)] = RUNS,
    seed: Annotated[int, Query(ge=0, lt=2**32)] = 1,
    traffic: Annotated[float, Query(gt=0, le=1e6)] = ASSUMED_REQUESTS_PER_SECOND,
) -> Said:
    return Said(
        service=service.strip(),
        text=text,
        other=other.strip(),
        other_text=other_text,
        against=against,
        scenario=scenario.strip(),
        rollout=rollout.strip(),
        runs=runs,
        seed=seed,
        traffic=traffic,
    )


Asks = Annotated[Said, Depends(_said)]
"""What the address of a request asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be simulated, and the digest of all that makes the numbers what they are."""

    comparison: Comparison
    key: str


def asked_of(outside: Outside, caller: Caller, texts: KeptTexts, said: Said) -> Asked:
    """
    Return what *said* asks for, as far as *caller* may read it.

    Raises:
        InvalidRequestError: there is no such kind or scenario, the rollout isn't over or showed nothing,
            or both plans are the same.
        InvalidDocumentError: a text can't be used.
        NotFoundError: there is no such service, text or rollout.
        StoreError: the store can't be read.
    """
    plans = plans_of(outside, caller, texts, said)
    named = _named(plans)
    scenarios = _scenarios(outside, caller, said)
    comparison = Comparison(
        plans=tuple(named),
        scenarios=tuple(scenarios),
        runs=said.runs,
        seed=said.seed,
        requests_per_second=said.traffic,
    )
    facts = {
        "plans": [[name, one.digest] for name, one in plans],
        "scenarios": [scenario.name for scenario in scenarios],
        "runs": said.runs,
        "seed": said.seed,
        "requests_per_second": said.traffic,
    }
    return Asked(comparison=comparison, key=digest_of(facts))


def plans_of(
    outside: Outside, caller: Caller, texts: KeptTexts, said: Said
) -> list[tuple[str, ResolvedService]]:
    """Return the one or two plans that *said* names, with what they are called. Raises as `asked_of`."""
    beside = _beside(outside, caller, texts, said)
    return [_first(outside, caller, texts, said), *([beside] if beside else [])]


def read_text(
    outside: Outside, caller: Caller, permission: Permission, text: str
) -> ResolvedService:
    """
    Return the service that somebody's *text* describes, if *caller* may do *permission* on it.

    Raises:
        InvalidDocumentError: it can't be used; the message says where and why.
        ForbiddenError, NotFoundError: they may not.
    """
    resolved = read_service(text, file=FILE_NAME, base_dir=NO_ROOT, may_open_files=False)
    touched = resource_of_start(outside, caller, resolved.spec)
    refuse_unless_allowed(outside, caller, permission, touched)
    return resolved


def _first(
    outside: Outside, caller: Caller, texts: KeptTexts, said: Said
) -> tuple[str, ResolvedService]:
    if said.text:
        text = texts.find(caller.organisation, said.text)
        return EDITED, read_text(outside, caller, Permission.READ, text)
    return said.service, resolved_service(outside, caller, said.service)


def _beside(
    outside: Outside, caller: Caller, texts: KeptTexts, said: Said
) -> tuple[str, ResolvedService] | None:
    if said.other_text:
        text = texts.find(caller.organisation, said.other_text)
        name = BESIDE if said.text else EDITED
        return name, read_text(outside, caller, Permission.READ, text)
    if said.other:
        return said.other, resolved_service(outside, caller, said.other)
    return None


def _named(plans: list[tuple[str, ResolvedService]]) -> list[NamedPlan]:
    if len(plans) == 1:
        # As the command calls it, so that both give the same digest.
        spec = plans[0][1].spec
        return [NamedPlan(name=spec.plan.name, spec=spec)]
    if plans[0][1].digest == plans[1][1].digest:
        raise InvalidRequestError(
            f"{plans[0][0]} and {plans[1][0]} are the same plan", hint="choose two different ones"
        )
    return [NamedPlan(name=name, spec=one.spec) for name, one in plans]


def _scenarios(outside: Outside, caller: Caller, said: Said) -> list[Scenario]:
    allowed = [kind.value for kind in KINDS]
    unknown = [kind for kind in said.kinds if kind not in allowed]
    if unknown:
        raise InvalidRequestError(
            f"plans go through {', '.join(allowed)}, got {unknown[0][:64]!r}",
            hint="choose in the form what the plan is to go through",
        )
    names = [said.scenario] if said.scenario else []
    recorded = [_recorded(outside, caller, said.rollout)] if said.rollout else []
    return choose([Kind(kind) for kind in said.kinds], names, recorded=recorded)


def _recorded(outside: Outside, caller: Caller, name: str) -> Scenario:
    rollout = find_rollout(outside, caller, name)
    if not rollout.is_final:
        raise InvalidRequestError(
            f"{rollout.id} isn't over, so its recording isn't whole", hint="choose one that is over"
        )
    recording = record_rollout(outside, rollout.id)
    if not any(period.signals and period.weight_bps for period in recording.periods):
        raise InvalidRequestError(
            f"{rollout.id} was never watched with users on it",
            hint="choose one that reached its first users",
        )
    return scenario_of_recording(recording)


def said_in(fields: Mapping[str, str]) -> Said:
    """Return what the fields of a form say beside its texts. Raises InvalidRequestError for no number."""
    try:
        return replace(
            Said(),
            against=tuple(word for word in fields.get("against", "").split(",") if word),
            scenario=fields.get("scenario", ""),
            rollout=fields.get("rollout", ""),
            runs=int(fields.get("runs", RUNS)),
            seed=int(fields.get("seed", 1)),
            traffic=float(fields.get("traffic", ASSUMED_REQUESTS_PER_SECOND)),
        )
    except ValueError:
        raise InvalidRequestError(
            "runs, seed and traffic must be numbers", hint="reload the page and send it again"
        ) from None
