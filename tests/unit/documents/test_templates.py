"""What `tidegate init` writes."""

from pathlib import Path

import pytest

from tidegate.documents.service_file import read_service
from tidegate.documents.templates import service_template
from tidegate.errors import InvalidDocumentError


def test_the_template_is_a_service_of_eleven_lines_that_resolves() -> None:
    """What `init` writes starts as it is."""
    text = service_template("checkout", owner="team-payments")

    resolved = read_service(text, file="tidegate.yaml", base_dir=Path("/srv"))

    lines = [line for line in text.splitlines() if line.strip() and "#" not in line[:5]]
    assert len(lines) == 13
    assert resolved.spec.name == "checkout"


def test_every_commented_line_can_be_taken_in() -> None:
    """The file teaches by examples that work."""
    text = service_template("checkout", owner="team-payments")
    words = ("# - {name: orders", "# prove:", "# plan:", "#   phases:", "#     - {")
    for word in words:
        assert word in text
        text = text.replace(word, word.removeprefix("# ").removeprefix("#"))
    text = text.replace("\n     - {name:", "\n    - {name:").replace("\n   phases:", "\n  phases:")

    resolved = read_service(text, file="tidegate.yaml", base_dir=Path("/srv"))

    assert not resolved.findings
    assert [phase.name for phase in resolved.spec.plan.phases] == ["canary", "wider", "everyone"]


@pytest.mark.parametrize("service", ["123", "no", "on", "1e3"])
def test_names_that_yaml_would_misread_are_quoted(service: str) -> None:
    """A service in a folder called 123 or no gets a file that works."""
    text = service_template(service, owner="Team: Payments #1")

    resolved = read_service(text, file="tidegate.yaml", base_dir=Path("/srv"))

    assert (resolved.spec.name, resolved.spec.owner) == (service, "Team: Payments #1")


@pytest.mark.parametrize(("service", "owner"), [("My Shop", "team"), ("", "team"), ("shop", " ")])
def test_names_that_can_t_be_are_refused(service: str, owner: str) -> None:
    """`init` never writes a file that `validate` refuses."""
    with pytest.raises(InvalidDocumentError):
        service_template(service, owner=owner)
