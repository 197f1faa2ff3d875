"""Reading tidegate-org.yaml: what it says, and what is wrong in it with its place and its fix."""

from datetime import timedelta

import pytest
from jsonschema import Draft202012Validator

from tidegate.documents.policy_file import read_policy
from tidegate.documents.schema import policy_schema
from tidegate.documents.yaml import read_yaml
from tidegate.domain.policy.model import NO_POLICY, ApprovalRule, KnownPerson, KnownProgram
from tidegate.domain.quantities import Environment
from tidegate.errors import InvalidDocumentError

WHOLE = """\
version: 1
organisation: shop
people:
  alice: {accounts: [alice-admin, "github:alice"], groups: [team-release]}
  bob: {groups: [team-release, team-dba]}
programs:
  ci-shop: {owner: alice-admin}
approvals:
  within: 12h
  rules:
    - {approve: 1 of team-release, unless: reviewed}
    - environments: [staging, production]
      tiers: [1]
      kinds: [schema]
      approve: 1 of team-dba
      before: every
"""


def test_everything_that_is_written_is_read() -> None:
    """Names, owners, groups, life and rules arrive as they stand; defaults are filled in."""
    policy = read_policy(WHOLE)

    assert policy.organisation == "shop"
    assert policy.people == (
        KnownPerson(
            name="alice", accounts=("alice-admin", "github:alice"), groups=("team-release",)
        ),
        KnownPerson(name="bob", groups=("team-release", "team-dba")),
    )
    assert policy.programs == (KnownProgram(name="ci-shop", owner="alice-admin"),)
    assert policy.person_of("ci-shop") == "alice"
    assert policy.approval_life == timedelta(hours=12)
    assert policy.approval_rules == (
        ApprovalRule(
            environments=(Environment.PRODUCTION,),
            count=1,
            group="team-release",
            unless_reviewed=True,
        ),
        ApprovalRule(
            environments=(Environment.STAGING, Environment.PRODUCTION),
            tiers=(1,),
            kinds=("schema",),
            count=1,
            group="team-dba",
            every_phase=True,
        ),
    )


def test_a_digest_is_of_what_is_said() -> None:
    """Comments and order change nothing that anybody agreed to; a word does. None is no policy's digest."""
    first = read_policy("version: 1\npeople: {alice: {}, bob: {}}\n")
    same = read_policy("# ours\npeople:\n  bob: {}\n  alice: {}\nversion: 1\n")
    other = read_policy("version: 1\npeople: {alice: {}, bob: {groups: [a]}}\n")

    assert first.digest == same.digest
    assert first.digest != other.digest
    assert read_policy("version: 1\n").digest != NO_POLICY.digest == ""


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("version: 1\npeople:\n  alice: {acounts: [a]}\n", "3:11", "did you mean `accounts`?"),
        ("version: 1\npepole: {}\n", "2:1", "did you mean `people`?"),
        ("version: 2\n", "1:10", "supported: 1"),
        ("people: {}\n", "1:1", "`version` is missing"),
        ("version: 1\npeople: {alice: {}, bob: {accounts: [alice]}}\n", "2:38", "alice's name"),
        (
            "version: 1\npeople: {a: {accounts: [x]}, b: {accounts: [x]}}\n",
            "2:45",
            "`x` is a's name already",
        ),
        ("version: 1\npeople: {ci: {}}\nprograms: {ci: {owner: ci}}\n", "3:12", "ci's name"),
        ("version: 1\nprograms: {ci: {owner: zoe}}\n", "2:24", "there is no person `zoe`"),
        (
            "version: 1\npeople: {a: {}}\napprovals: {rules: [{approve: 1 of team}]}\n",
            "3:31",
            "nobody is in `team`",
        ),
        ("version: 1\napprovals: {within: 12}\n", "2:21", "a duration needs a unit"),
        ("version: 1\napprovals: {rules: [{approve: team}]}\n", "2:31", "how many of which group"),
        (
            "version: 1\napprovals: {rules: [{approve: 1 of a, before: last}]}\n",
            "2:47",
            "supported: first, every",
        ),
        ("version: 1\npeople: {alice: {}, alice: {}}\n", "2:", "alice"),
        ("[1]\n", "1:1", "must be a mapping"),
        ("version: 1\npeople: &all {alice: {}}\n", "2:", "anchor"),
        ("version: 1\norganisation: The Shop\n", "2:15", "must match"),
        ("version: 1\npeople:\n", "2:1", "is empty"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, place: str, says: str) -> None:
    """File, line and column, what is wrong there, and how to put it right."""
    with pytest.raises(InvalidDocumentError) as refused:
        read_policy(text, file="tidegate-org.yaml")

    assert f"tidegate-org.yaml:{place}" in refused.value.message
    assert says in refused.value.message
    assert "fix: " in refused.value.message


def test_the_published_schema_takes_what_the_reader_takes() -> None:
    """An editor marks a misspelt key, and nothing of a good file."""
    Draft202012Validator.check_schema(policy_schema())
    check = Draft202012Validator(policy_schema())

    assert list(check.iter_errors(read_yaml(WHOLE, file="x").value)) == []
    assert list(check.iter_errors({"version": 1, "pepole": {}})) != []


EMERGENCY = """\
version: 1
emergency:
  security: {criteria: cve.score >= 9, authorise: "2 of [incident-commander, team-shop]"}
"""


def test_protocols_of_emergencies_are_read_with_the_rest() -> None:
    """They are part of what the policy says, and so of its digest; what is wrong has its place."""
    policy = read_policy(EMERGENCY)

    assert [(one.type, one.persons) for one in policy.protocols] == [("security", 2)]
    assert policy.digest != read_policy("version: 1\n").digest
    with pytest.raises(InvalidDocumentError, match=r"tidegate-org\.yaml:3:"):
        read_policy(EMERGENCY.replace("2 of", "1 of"), file="tidegate-org.yaml")
    with pytest.raises(InvalidDocumentError, match="did you mean `criteria`"):
        read_policy(EMERGENCY.replace("criteria", "critera"), file="tidegate-org.yaml")
