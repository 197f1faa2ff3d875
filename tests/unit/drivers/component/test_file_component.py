import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tidegate.domain.quantities import (
    NO_EXPOSURE,
    Arm,
    ComponentName,
    Environment,
    Exposure,
    Generation,
    Placement,
    ServiceName,
    TargetName,
)
from tidegate.drivers.component.file import FileComponent
from tidegate.drivers.component.file_consumer import FileConsumer
from tidegate.drivers.durable import locked
from tidegate.errors import (
    InvalidDocumentError,
    StaleGenerationError,
    VersionNotFoundError,
    WorkloadError,
)
from tidegate.ports.component import Assignment

PLACEMENT = Placement(
    service=ServiceName("shop"), component=ComponentName("tax"), target=TargetName("eu-1")
)
MEMBERS = ("a", "b", "c", "d")
FEW = Exposure(internal=False, weight_bps=100)


def refuse_negative_rates(document: Any) -> None:
    if document["rate"] < 0:
        raise ValueError("a rate below 0 makes no sense")


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.driver = FileComponent(folder / "root")
        for name in MEMBERS:
            (folder / "consumers" / name).mkdir(parents=True)
        self.consumers = {name: self.consumer(name) for name in MEMBERS}

    def consumer(self, name: str) -> FileConsumer:
        return FileConsumer(self.folder / "consumers" / name, refuse_negative_rates)

    def settings_json(self, **other: Any) -> str:
        settings = {
            "driver": "file",
            "path": str(self.folder / "tax.json"),
            "schema": {"type": "object", "required": ["rate"]},
            "dir": str(self.folder / "consumers"),
            "members": list(MEMBERS),
            "internal": [],
            "max_bytes": 200,
            "keep_last_good": True,
        }
        return json.dumps(settings | other)

    def write(self, name: str, document: object) -> str:
        (self.folder / name).write_text(json.dumps(document))
        return name

    async def serving(self) -> Assignment:
        """Set the baseline up, and return an assignment of the candidate, not yet applied."""
        old = await self.driver.resolve(self.write("old.json", {"rate": 19}), self.settings_json())
        new = await self.driver.resolve(self.write("new.json", {"rate": 21}), self.settings_json())
        first = Assignment(
            placement=PLACEMENT,
            candidate=old,
            baseline=old,
            exposure=NO_EXPOSURE,
            generation=Generation(1),
            environment=Environment.LAB,
            settings_json=self.settings_json(),
            target_settings_json="{}",
        )
        await self.driver.apply(first)
        self.poll()
        return replace(first, candidate=new, exposure=FEW, generation=Generation(2))

    def poll(self) -> None:
        for consumer in self.consumers.values():
            consumer.poll()

    def served(self) -> list[int]:
        return sorted(consumer.document["rate"] for consumer in self.consumers.values())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield World(tmp_path)


async def test_any_weight_above_nothing_reaches_one_member(world: World) -> None:
    """A canary of nobody would prove nothing."""
    few = await world.serving()

    await world.driver.apply(few)

    world.poll()
    assert world.served() == [19, 19, 19, 21]
    seen = await world.driver.observe(PLACEMENT)
    assert (seen.settled, seen.exposure) == (True, FEW)


async def test_a_member_that_has_not_answered_unsettles(world: World) -> None:
    """Accepted isn't applied: a written file is not a served document."""
    few = await world.serving()

    await world.driver.apply(few)

    seen = await world.driver.observe(PLACEMENT)
    assert not seen.settled
    assert "hasn't taken generation 2 yet" in seen.why_not


async def test_a_consumer_that_refuses_says_why_and_serves_on(world: World) -> None:
    """A bad document hurts nobody: the last good one stays, and a person reads the reason."""
    few = await world.serving()
    bad = await world.driver.resolve(world.write("bad.json", {"rate": -1}), few.settings_json)

    await world.driver.apply(replace(few, candidate=bad))

    world.poll()
    seen = await world.driver.observe(PLACEMENT)
    assert not seen.settled
    assert "refused the document: a rate below 0 makes no sense" in seen.why_not
    assert world.served() == [19, 19, 19, 19]
    assert seen.exposure == NO_EXPOSURE


async def test_a_restarted_consumer_serves_its_last_good_document(world: World) -> None:
    """With nobody there to tell it anything a consumer goes on as it was."""
    few = await world.serving()
    await world.driver.apply(replace(few, exposure=Exposure(internal=False, weight_bps=10_000)))
    world.poll()
    (world.folder / "consumers" / "a" / "desired.json").unlink()

    restarted = world.consumer("a")

    assert restarted.document == {"rate": 21}
    assert restarted.generation == 2


async def test_a_consumer_ignores_what_is_older_than_it_has_seen(world: World) -> None:
    """The last fence is the consumer's own: a late write that slipped through changes nothing."""
    few = await world.serving()
    path = world.folder / "consumers" / "a" / "desired.json"
    old = path.read_text()
    await world.driver.apply(replace(few, exposure=Exposure(internal=False, weight_bps=10_000)))
    world.poll()

    path.write_text(old)

    assert not world.consumers["a"].poll()
    assert world.consumers["a"].document == {"rate": 21}
    assert not world.consumer("a").poll()
    assert (await world.driver.observe(PLACEMENT)).settled


async def test_a_consumer_refuses_a_document_that_is_not_the_one_named(world: World) -> None:
    """A file that was edited by hand, or torn, isn't what was approved."""
    few = await world.serving()
    await world.driver.apply(few)
    for name in MEMBERS:
        path = world.folder / "consumers" / name / "desired.json"
        path.write_text(path.read_text().replace("21", "99"))

    world.poll()

    assert world.served() == [19, 19, 19, 19]
    assert "doesn't match its digest" in (await world.driver.observe(PLACEMENT)).why_not


async def test_a_consumer_that_serves_the_candidate_still_counts_as_exposed(world: World) -> None:
    """A withdrawal is over when the members say so, not when the files were written."""
    few = await world.serving()
    await world.driver.apply(few)
    world.poll()

    await world.driver.withdraw(PLACEMENT, Generation(3))

    lagging = await world.driver.observe(PLACEMENT)
    world.poll()
    done = await world.driver.observe(PLACEMENT)
    assert (lagging.settled, lagging.exposure.weight_bps) == (False, 2_500)
    assert (done.settled, done.exposure) == (True, NO_EXPOSURE)


async def test_a_withdrawal_does_not_wait_for_a_call_that_hangs(world: World) -> None:
    """A controller that was stopped while it held the lock keeps nobody from stopping."""
    few = await world.serving()
    await world.driver.apply(few)
    world.poll()

    async with locked(world.folder / "consumers/.tidegate/lock", wait=timedelta(seconds=1)):
        await world.driver.withdraw(PLACEMENT, Generation(3))

    world.poll()
    assert world.served() == [19, 19, 19, 19]
    with pytest.raises(StaleGenerationError):
        await FileComponent(world.folder / "root").apply(few)


async def test_a_stop_is_seen_between_two_files(world: World) -> None:
    """A controller that wakes up in the middle of a delivery stops delivering."""
    few = await world.serving()
    await world.driver.apply(few)
    told = (world.folder / "consumers/.tidegate/told.json").read_text()
    await world.driver.withdraw(PLACEMENT, Generation(3))
    # As left by one that had passed every check before it was stopped.
    (world.folder / "consumers/.tidegate/told.json").write_text(told)

    seen = await world.driver.observe(PLACEMENT)

    assert seen.stopped_at_generation == 3
    with pytest.raises(StaleGenerationError):
        await world.driver.apply(few)


async def test_a_new_member_gets_the_baseline_with_the_next_apply(world: World) -> None:
    """A consumer that joins is seen as missing, then told."""
    few = await world.serving()
    open_ended = replace(few, settings_json=world.settings_json(members=None))
    await world.driver.apply(open_ended)
    world.poll()
    (world.folder / "consumers" / "e").mkdir()

    missing = await world.driver.observe(PLACEMENT)

    await world.driver.apply(open_ended)
    joined = FileConsumer(world.folder / "consumers" / "e")
    joined.poll()
    world.poll()
    assert "member e isn't ready: it has never answered" in missing.why_not
    assert (await world.driver.observe(PLACEMENT)).settled
    assert joined.document in ({"rate": 19}, {"rate": 21})


async def test_two_placements_can_not_share_a_folder(world: World) -> None:
    """Members that two take turns to write would serve whoever came last."""
    few = await world.serving()
    other = Placement(
        service=ServiceName("other"), component=ComponentName("tax"), target=TargetName("eu-1")
    )

    with pytest.raises(WorkloadError, match=r"belongs to shop/tax@eu-1"):
        await world.driver.apply(
            replace(few, placement=other, candidate=few.baseline, exposure=NO_EXPOSURE)
        )


async def test_without_members_nothing_can_be_moved(world: World) -> None:
    """Nobody there isn't the same as everybody done."""
    few = await world.serving()
    (world.folder / "empty").mkdir()
    settings = world.settings_json(members=None, dir=str(world.folder / "empty"))

    with pytest.raises(WorkloadError, match="no members"):
        await world.driver.apply(
            replace(few, candidate=few.baseline, exposure=NO_EXPOSURE, settings_json=settings)
        )


async def test_an_edit_of_the_file_changes_nothing_that_was_resolved(world: World) -> None:
    """What was planned is what is served, whatever happens to the file meanwhile."""
    few = await world.serving()
    world.write("new.json", {"rate": 99})

    await world.driver.apply(few)

    world.poll()
    assert world.served() == [19, 19, 19, 21]


async def test_a_tampered_copy_is_never_served(world: World) -> None:
    """The kept copy is checked by its digest each time it's read."""
    few = await world.serving()
    hexadecimal = few.candidate.digest.removeprefix("sha256:")
    (world.folder / "root" / "documents" / f"{hexadecimal}.json").write_text('{"rate":99}')

    with pytest.raises(WorkloadError, match="was changed"):
        await world.driver.apply(few)

    world.poll()
    assert world.served() == [19, 19, 19, 19]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"rate": 1, "rate": 2}', "there twice"),
        ('{"rate": NaN}', "no JSON number"),
        ("{}", "is empty"),
        ("", "isn't JSON"),
        ("[" * 90, "isn't JSON"),
        ('{"other": 1}', "breaks its schema"),
        ('{"rate": "%s"}' % ("x" * 200), "larger than 200 bytes"),
        ('{"rate": 123456789012345678901}', "canonical"),
    ],
)
async def test_what_can_not_be_meant_is_refused(world: World, text: str, problem: str) -> None:
    """A document is checked before anybody gets it, with a reason a person can act on."""
    (world.folder / "bad.json").write_text(text)

    with pytest.raises(InvalidDocumentError, match=problem):
        await world.driver.resolve("bad.json", world.settings_json())


async def test_a_schema_fetches_nothing(world: World) -> None:
    """References that leave the schema are an error, never a request."""
    world.write("new.json", {"rate": 1})
    schema = {"$ref": "http://127.0.0.1:9/schema.json"}

    with pytest.raises(InvalidDocumentError, match="can't be used"):
        await world.driver.resolve("new.json", world.settings_json(schema=schema))


async def test_a_relative_path_needs_somewhere_to_start(world: World) -> None:
    """Where the server happens to run must not decide what is deployed."""
    world.write("new.json", {"rate": 1})

    with pytest.raises(VersionNotFoundError, match="relative path"):
        await world.driver.resolve("new.json", world.settings_json(path=None))


async def test_a_member_folder_that_can_not_be_written_is_an_error(world: World) -> None:
    """No permission or no space: told with the path."""
    few = await world.serving()
    (world.folder / "consumers" / "e").touch()
    settings = world.settings_json(members=["e"])

    with pytest.raises(WorkloadError, match="can't be written"):
        await world.driver.apply(replace(few, settings_json=settings))


async def test_members_are_labelled_by_arm(world: World) -> None:
    """Signals of a member can be told apart by what it serves."""
    few = await world.serving()
    await world.driver.apply(few)
    world.poll()

    seen = await world.driver.observe(PLACEMENT)

    candidates = seen.arms[Arm.CANDIDATE]["members"].split(",")
    assert len(candidates) == 1
    assert sorted([*candidates, *seen.arms[Arm.BASELINE]["members"].split(",")]) == list(MEMBERS)
