"""The documents say what the code does: links lead somewhere, commands exist, files resolve."""

import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main

from tidegate.cli.app import app
from tidegate.cli.completion import PROGRAM
from tidegate.documents.service_file import load_service

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "examples").rglob("*.md")])
ADRS = sorted((DOCS / "adr").glob("*.md"))
ADR_PARTS = ["Context", "Decision", "Checked by", "Consequences", "Alternatives"]

FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"(?:src|srcset)=\"([^\"]+)\"|!\[[^\]]*\]\(([^)\s]+)\)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CONSOLE = re.compile(r"^ *```console\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
YAML = re.compile(r"^```yaml\n(version: 1\n.*?)^```", re.MULTILINE | re.DOTALL)


def named(path: Path) -> str:
    """Return how a test of *path* is called."""
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("name", ["states", "settings", "permissions"])
def test_a_page_made_from_code_is_fresh(name: str) -> None:
    """Write it again with: python tools/docs/NAME.py"""
    tool = runpy.run_path(str(ROOT / "tools" / "docs" / f"{name}.py"))

    assert (DOCS / "reference" / f"{name}.md").read_text(encoding="utf-8") == tool["page"]()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    """A reader who follows a link inside the repository arrives, at the heading too."""
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    dead = []
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, heading = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (heading and heading not in _headings(target)):
            dead.append(link)

    assert dead == []


def test_every_picture_is_there_and_is_shown() -> None:
    """A page without its picture says half, and one that no page shows is only carried along."""
    shown = {
        (page.parent / (tag or link)).resolve()
        for page in PAGES
        for tag, link in PICTURE.findall(page.read_text(encoding="utf-8"))
        if not re.match(r"[a-z]+:", tag or link)
    }
    there = {path for ending in ("png", "svg") for path in DOCS.rglob(f"*.{ending}")}

    assert shown - there == set()
    assert there - shown == set()


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=named)
def test_every_page_can_be_found(page: Path) -> None:
    """The index leads to every page, or to its folder."""
    index = DOCS / "index.md"
    links = LINK.findall(index.read_text(encoding="utf-8"))
    found = {index, *((DOCS / link.partition("#")[0]).resolve() for link in links)}

    assert page in found or page.parent in found


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_that_is_shown_exists(page: Path) -> None:
    """What a reader copies is a command with options that it takes."""
    unknown = [
        f"{line}: {problem}"
        for line in _shown_commands(page.read_text(encoding="utf-8"))
        if (problem := _problem_of(line))
    ]

    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_whole_service_file_resolves(page: Path, tmp_path: Path) -> None:
    """A tidegate.yaml that a page shows in full is accepted, by the rules for plans too."""
    path = tmp_path / "tidegate.yaml"

    for text in YAML.findall(page.read_text(encoding="utf-8")):
        path.write_text(text, encoding="utf-8")

        assert load_service(path).spec.name


@pytest.mark.parametrize("record", ADRS, ids=named)
def test_a_decision_record_has_its_six_parts(record: Path) -> None:
    """Whoever reads one finds status, context, decision, check, consequences and alternatives."""
    text = record.read_text(encoding="utf-8")
    number = record.name[:4]

    assert text.startswith(f"# {number} ")
    assert re.search(r"^\*\*Status\*\*: \w+", text, re.MULTILINE)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ADR_PARTS


def test_decision_records_are_numbered_once_without_gaps() -> None:
    """A number names one decision for ever."""
    numbers = [int(record.name[:4]) for record in ADRS]

    assert numbers == list(range(1, len(ADRS) + 1))


def _headings(page: Path) -> set[str]:
    """Return the anchors of *page*, made as GitHub makes them."""
    titles = re.findall(
        r"^#+ (.+)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _shown_commands(text: str) -> Iterator[str]:
    for block in CONSOLE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if line.strip().startswith("$ "):
                yield line.strip()[2:]


def _problem_of(line: str) -> str | None:
    """Return what is wrong with a shown command line, None when it isn't ours or is right."""
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    if not words or words[0] != PROGRAM:
        return None
    command: Any = typer.main.get_command(app)
    context = typer.Context(command, info_name=PROGRAM)
    rest = words[1:]
    while hasattr(command, "get_command") and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if command.get_command(context, name) is None:
            return f"there is no {name}"
        _, command, _ = command.resolve_command(context, [name])
    if hasattr(command, "get_command") and not command.invoke_without_command:
        return "a command is missing"
    known = {option for parameter in command.params for option in parameter.opts}
    options = [word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)]
    return next((f"it takes no {option}" for option in options if option not in known), None)
