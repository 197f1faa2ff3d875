"""Settings of gates that verify read back as what they were, which the plan's digest rests on."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from tidegate.documents.gates import settings_json
from tidegate.documents.gates_verifying import VERIFYING_KINDS

WRITTEN: list[tuple[str, dict[str, Any]]] = [
    ("tests", {}),
    ("tests", {"suites": "integration"}),
    ("tests", {"suites": ["a", "b"], "minimum": 20, "skipped": 0.0, "max_age": "36h"}),
    ("sarif", {}),
    ("sarif", {"new_high": 2, "low": 9, "tools": "CodeQL"}),
]


@pytest.mark.parametrize(("kind", "written"), WRITTEN)
def test_settings_read_back(kind: str, written: dict[str, Any]) -> None:
    """What is hashed is what is asked."""
    model = VERIFYING_KINDS[kind].settings
    settings = model.model_validate(written)

    text = settings_json(settings)

    assert model.model_validate(json.loads(text)) == settings
    assert settings_json(model.model_validate(json.loads(text))) == text


@pytest.mark.parametrize("kind", VERIFYING_KINDS)
def test_an_unknown_setting_is_refused(kind: str) -> None:
    """A misspelt setting isn't a lenient one."""
    with pytest.raises(ValidationError):
        VERIFYING_KINDS[kind].settings.model_validate({"supposed": 1})
