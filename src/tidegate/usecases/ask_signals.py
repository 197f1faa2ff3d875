"""
Asking every signal of a service now: what each source answers, and what that would do to a rollout.

Counts only grow, so those signals are read twice, a tick apart; a limit is read once. Nothing is stored
and no test is fed: this is for people who connect a service, or wonder whether a source still answers.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tidegate.domain.health.model import SignalHealth
from tidegate.domain.health.readings import Reading
from tidegate.domain.plan.model import (
    ComponentSpec,
    Plan,
    TargetSpec,
)
from tidegate.domain.quantities import (
    Arm,
    ComponentName,
    Placement,
    ServiceName,
    TargetName,
)
from tidegate.errors import SignalSourceError, TidegateError
from tidegate.ports.component import ArmLabels
from tidegate.ports.signals import SignalQuery
from tidegate.usecases.outside import Outside
from tidegate.usecases.service_health import (
    active_rollouts,
    plan_in_force,
    specs_of,
    stored_spec,
)
from tidegate.usecases.signal_answers import (
    LONGEST_PAUSE,
    READ_ONCE,
    Answer,
    Question,
    Read,
    answer_of,
    said_by,
)
from tidegate.usecases.traffic import counts_requests
from tidegate.usecases.watch import READ_WITHIN_SECONDS
from tidegate.usecases.watch_queries import one_per_target


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """All answers, what the signals say by them, and when they were asked."""

    at: datetime
    answers: tuple[Answer, ...]
    said: Mapping[str, SignalHealth]


async def ask_signals(outside: Outside, service: ServiceName) -> Asked:
    """
    Ask the source of every signal of *service*, at every target.

    Raises:
        NotFoundError: there is no such service.
        InvalidDocumentError: its stored document can't be read.
    """
    plan, pairs = await read_twice(outside, service)
    at = outside.clock.now()
    answers = tuple(
        answer_of(plan, question, earlier, later, at) for question, earlier, later in pairs
    )
    return Asked(at=at, answers=answers, said=said_by(answers))


async def requests_now(outside: Outside, service: ServiceName) -> tuple[int, int] | None:
    """
    Return how many requests of *service* were seen while this looked, and how many of them failed.

    None where a target can't be asked, or what it says isn't fit to be counted.

    Raises:
        NotFoundError, InvalidDocumentError: as `ask_signals`.
    """
    _, pairs = await read_twice(outside, service)
    counting = [pair for pair in pairs if counts_requests(pair[0].spec)]
    # Several signals may count the same requests: the first one tells.
    first = [pair for pair in counting if pair[0].spec.name == counting[0][0].spec.name]
    requests = bad = 0.0
    for _, earlier, later in first:
        if not isinstance(earlier, Reading) or not isinstance(later, Reading):
            return None
        for arm, series in later.arms.items():
            for name, counts in series.items():
                before = earlier.arms.get(arm, {}).get(name)
                if before is None or counts.total < before.total or counts.bad < before.bad:
                    # It began again meanwhile: what it counted in between isn't known.
                    return None
                requests += counts.total - before.total
                bad += counts.bad - before.bad
    return (round(requests), round(bad)) if first else None


async def read_twice(
    outside: Outside, service: ServiceName
) -> tuple[Plan, list[tuple[Question, Read, Read]]]:
    """
    Return what each source gives to each question at first and a tick later; limits are read once.

    Raises:
        NotFoundError, InvalidDocumentError: as `ask_signals`.
    """
    with outside.store.begin(read_only=True) as transaction:
        spec = stored_spec(transaction, service)
        active = active_rollouts(transaction, service)
    plan = plan_in_force(spec, active)
    components = {one.name: one for one in spec.components}
    targets = {one.name: one for one in spec.targets}
    arms = await _arms(outside, plan, components)
    questions = _questions(plan, components, targets, arms)
    first = await _read(outside, questions)
    again = [one for one in questions if one.spec.kind not in READ_ONCE]
    if again:
        await outside.clock.sleep_until(outside.clock.now() + min(plan.tick, LONGEST_PAUSE))
    second = dict(zip(map(id, again), await _read(outside, again), strict=True))
    return plan, [
        (question, earlier, second.get(id(question), earlier))
        for question, earlier in zip(questions, first, strict=True)
    ]


# --- asking ----------------------------------------------------------------------------------


async def _arms(
    outside: Outside, plan: Plan, components: Mapping[ComponentName, ComponentSpec]
) -> dict[Placement, Mapping[Arm, ArmLabels]]:
    """Return the arms served at each placement; none where that can't be asked."""

    async def observed(placement: Placement) -> Mapping[Arm, ArmLabels]:
        try:
            driver = outside.driver(components[placement.component].driver)
            return (await driver.observe(placement)).arms
        except TidegateError:
            # What can't be asked has no arms; each of its signals then says that it is missing.
            return {}

    places = [place for place in plan.placements() if place.component in components]
    found = await asyncio.gather(*map(observed, places))
    return dict(zip(places, found, strict=True))


def _questions(
    plan: Plan,
    components: Mapping[ComponentName, ComponentSpec],
    targets: Mapping[TargetName, TargetSpec],
    arms: Mapping[Placement, Mapping[Arm, ArmLabels]],
) -> list[Question]:
    """Return one question per signal and target, at the placement whose arms can be told apart."""
    return [
        Question(
            spec=spec,
            placement=placement,
            query=SignalQuery(
                placement=placement,
                signal=spec.name,
                kind=spec.kind,
                source=spec.source,
                settings=dict(spec.settings),
                arms=arms[placement],
                component_settings_json=components[placement.component].settings_json,
                target_settings_json=targets[placement.target].settings_json,
                counting=spec.counting,
            ),
        )
        for spec in specs_of(plan).values()
        for placement in one_per_target(arms, arms, dict(spec.settings).get("component"))
    ]


async def _read(outside: Outside, questions: Sequence[Question]) -> list[Read]:
    """Return what the sources give, in order; each source is asked once for all that it's about."""
    answers: list[Read] = [None] * len(questions)
    by_source: dict[str, list[int]] = {}
    for index, question in enumerate(questions):
        by_source.setdefault(question.query.source, []).append(index)

    async def read(source: str, places: list[int]) -> None:
        got: Sequence[Read]
        try:
            driver = outside.source(source)
            async with asyncio.timeout(READ_WITHIN_SECONDS):
                got = await driver.read([questions[place].query for place in places])
        except TimeoutError:
            got = [
                SignalSourceError(
                    f"{source} didn't answer within {READ_WITHIN_SECONDS:g} s",
                    hint="see whether it is up and reachable from the server",
                )
            ] * len(places)
        except TidegateError as exc:
            got = [SignalSourceError(exc.message, hint=exc.hint)] * len(places)
        for place, one in zip(places, got, strict=True):
            answers[place] = one

    await asyncio.gather(*(read(source, places) for source, places in by_source.items()))
    return answers
