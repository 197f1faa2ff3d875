"""Adopting a plan, case by case: what of the file changes, and what is refused."""

import subprocess
from pathlib import Path

import pytest

from tidegate.documents.adopt import adopt_plan, named_section, plan_section
from tidegate.documents.patch import patch_of
from tidegate.documents.service_file import ResolvedService, read_service
from tidegate.errors import InvalidRequestError
from tidegate.testing.memory_world import DOCUMENT

BASE_DIR = Path("/nowhere")
HEAD = DOCUMENT.partition("plan:")[0]


def read(text: str) -> ResolvedService:
    return read_service(text, file="tidegate.yaml", base_dir=BASE_DIR)


def adopt(mine: str, theirs: str) -> str:
    wanted = read(theirs)
    section = plan_section(theirs, file="other.yaml") or named_section(wanted.spec.plan.name)
    return adopt_plan(mine, section, wanted=wanted, file="tidegate.yaml", base_dir=BASE_DIR)


def test_of_the_same_shape_only_values_change() -> None:
    """Comments within the plan and the way it is written stay."""
    mine = DOCUMENT.replace("bake: 10s}", "bake:   10s}  # short: it's internal")
    theirs = (
        HEAD
        + """\
plan:
  quarantine: 60s
  phases:
    - name: few
      bake: 10s
      traffic: 2%  # more at once
    - {name: half, traffic: 50%, bake: 25s, approve: 1 of team-release}
    - {name: all, traffic: 100%, bake: 25s}
"""
    )

    assert adopt(mine, theirs) == (
        mine.replace("traffic: 10%, bake:   10s", "traffic: 2%, bake:   10s").replace("20s", "25s")
    )


def test_of_another_shape_the_whole_part_is_taken_as_it_was_written() -> None:
    """With the comments that come with it, and a comment that stood behind the last value gone."""
    mine = DOCUMENT.replace("60s", "60s  # a minute") + "# the end\n"
    part = """\
plan:
  # First a few, as the incident of May taught.
  phases: [{name: all, bake: 20s}]  # in one
"""

    assert adopt(mine, HEAD + part) == f"{HEAD}{part}# the end\n"


@pytest.mark.parametrize("text", [HEAD, HEAD.rstrip("\n"), HEAD + "# the end\n", HEAD + "...\n"])
def test_a_file_without_a_plan_gets_one_at_its_end(text: str) -> None:
    """Before the mark of the document's end, where there is one."""
    theirs = HEAD + "plan: {phases: [{name: all, bake: 20s}]}\n"

    adopted = adopt(text, theirs)

    assert adopted.startswith(text.removesuffix("...\n"))
    assert adopted.removesuffix("...\n").endswith("plan: {phases: [{name: all, bake: 20s}]}\n")


def test_a_file_in_braces_takes_one_value() -> None:
    """As JSON is written; a plan in lines can't be put into it, and that is said."""
    mine = (
        '{version: 1, service: shop, owner: team, workload: {driver: process, command: ["./s", "{port}"],'
        ' probe: {http: /}, traffic: {driver: envoy, listen: "127.0.0.1:1"}},'
        " targets: [{name: eu, environment: lab}], plan: {phases: [{name: all, bake: 20s}]}, tier: 2}\n"
    )
    theirs = mine.replace("plan: {phases: [{name: all, bake: 20s}]}", "plan: lab")

    assert adopt(mine, theirs) == theirs
    assert adopt(theirs, mine) == mine
    in_lines = "plan:\n  phases:\n    - {name: all, bake: 20s}\n"
    with pytest.raises(InvalidRequestError, match="written in braces"):
        adopt_plan(theirs, in_lines, wanted=read(mine), file="tidegate.yaml", base_dir=BASE_DIR)


def test_what_would_not_be_what_was_simulated_is_refused() -> None:
    """The plan depends on the rest of the file: other tolerances make another one of the same words."""
    theirs = DOCUMENT.replace("errors: 5pp", "errors: 1pp").replace("10%", "5%")

    with pytest.raises(InvalidRequestError, match="would not give what was simulated") as refusal:
        adopt(DOCUMENT, theirs)

    assert "health, prove or targets" in refusal.value.hint


def test_a_plan_that_the_file_can_not_have_is_refused() -> None:
    """A phase for a target that isn't there."""
    theirs = DOCUMENT.replace("name: eu", "name: us").replace("{name: few,", "{name: few, to: us,")

    with pytest.raises(InvalidRequestError, match="couldn't be read with that plan"):
        adopt(DOCUMENT, theirs)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a\nb\nc\n", "a\nB\nc\n"),
        ("a\nb", "a\nb\n"),
        ("a\nb\n", "a\nB"),
        ("a\r\nb\r\n", "a\r\nB\r\n"),
        ("a\u2028\x0cb\n", "a\u2028\x0cc\n"),
        ("a\n", "a\nb"),
    ],
)
def test_git_takes_the_patch(before: str, after: str, tmp_path: Path) -> None:
    """To the last character: ends of lines, a last line without one, and what only looks like one."""
    file = tmp_path / "tidegate.yaml"
    file.write_bytes(before.encode())

    patch = patch_of(before, after, path="tidegate.yaml")

    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=patch.encode(), check=True)
    assert file.read_bytes() == after.encode()
