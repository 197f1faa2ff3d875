"""The reference says what the code does: pages made from it are fresh, and every key is explained."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tidegate.documents.reference import pages
from tidegate.documents.schema import service_schema
from tidegate.documents.service_file import load_service
from tidegate.documents.yaml import read_yaml
from tidegate.domain.plan.rules import GROUND_RULES, LAB_RULE, PLAN_RULES

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
GOOD = ROOT / "tests" / "unit" / "documents" / "good"
BAD = ROOT / "tests" / "unit" / "documents" / "bad"

OUR_FILES = sorted([*GOOD.glob("*.yaml"), *(ROOT / "examples").rglob("tidegate.yaml")])
REFUSED_BY_SHAPE = ["misspelt-keys", "missing-keys", "no-driver", "wrong-types", "no-component"]


@pytest.mark.parametrize("name", sorted(pages()))
def test_pages_made_from_code_are_fresh(name: str) -> None:
    """Write them again with: python -m tidegate.documents.reference docs/reference"""
    assert (REFERENCE / name).read_text(encoding="utf-8") == pages()[name]


def test_the_published_schema_is_a_schema() -> None:
    """Editors can read it."""
    schema = json.loads((REFERENCE / "tidegate.schema.json").read_text(encoding="utf-8"))

    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", OUR_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_resolve_satisfy_the_schema(path: Path) -> None:
    """The schema never marks a good file as wrong in an editor."""
    value = read_yaml(path.read_text(encoding="utf-8"), file=path.name).value

    assert list(Draft202012Validator(service_schema()).iter_errors(value)) == []
    assert load_service(path).spec.name


@pytest.mark.parametrize("name", REFUSED_BY_SHAPE)
def test_files_of_a_wrong_shape_fail_the_schema(name: str) -> None:
    """The schema marks what the reader would refuse, already while it is written."""
    text = (BAD / f"{name}.yaml").read_text(encoding="utf-8")
    value = read_yaml(text, file=name).value

    assert list(Draft202012Validator(service_schema()).iter_errors(value)) != []


def test_every_key_has_a_description_and_stands_in_the_reference() -> None:
    """Nobody has to read code to know a key."""
    page = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    missing = []
    for model, part in service_schema()["$defs"].items():
        for key, described in part.get("properties", {}).items():
            assert _description(described), f"{model}.{key} has no description"
            if not re.search(rf"`([a-z_]+\.)?{key}[`.]", page):
                missing.append(f"{model}.{key}")

    assert missing == []


def test_the_reference_s_own_file_resolves(tmp_path: Path) -> None:
    """What a reader copies from the page works."""
    page = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    path = tmp_path / "tidegate.yaml"
    path.write_text(found.group(1), encoding="utf-8")

    assert load_service(path).spec.plan.name == "standard"


def test_every_rule_stands_in_the_table() -> None:
    """A finding's id can be looked up."""
    page = pages()["plan-rules.md"]

    for rule in (*GROUND_RULES, *PLAN_RULES, LAB_RULE):
        assert f"| `{rule.id}` | {rule.severity.value} |" in page


def _description(part: dict[str, Any]) -> str:
    # A key whose words are those of its model is written as a bare reference.
    return str(part.get("description", part.get("$ref", "")))
