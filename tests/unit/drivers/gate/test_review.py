"""What is deployed is on the trunk or a release branch, and somebody else has read it."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from gate_questions import a_change, a_question
from git_repositories import Repository

from tidegate.domain.gates.model import GateVerdict
from tidegate.domain.quantities import ComponentName, Placement, ServiceName, TargetName, Version
from tidegate.drivers.gate import history
from tidegate.drivers.gate.history import is_ref_name, normal_address
from tidegate.drivers.gate.review import ReviewGate
from tidegate.errors import GateError, InvalidDocumentError
from tidegate.ports.gate import GateAnswer, KnownFacts
from tidegate.testing.builders import START

GREEN, RED, UNKNOWN = GateVerdict.GREEN, GateVerdict.RED, GateVerdict.UNKNOWN

BY_BOB = "Reviewed-by: Bob <bob@example.com>"
BY_CAROL = "Reviewed-by: Carol <carol@example.com>"
BY_ALICE = "Reviewed-by: Alice <alice@example.com>"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return a repository whose trunk has one reviewed commit."""
    made = Repository(tmp_path / "repositories" / "shop")
    made.commit("first", BY_BOB)
    return made


async def ask(
    repository: Repository,
    commit: str = "",
    settings: Any = None,
    *,
    serving: tuple[str, ...] = (),
    statement: Any = None,
    component: str = "code",
) -> GateAnswer:
    """Return the gate's answer about deploying *commit* (by default what is checked out)."""
    version = Version(name=commit or repository.head(), digest="sha256:" + "c" * 64)
    submitted = {} if statement is None else {"review.json": json.dumps(statement).encode()}
    question = a_question(
        "review",
        {"repository": repository.path.name, **(settings or {})},
        submitted,
        change=a_change(**{component: version}),
    )
    placements = [
        Placement(
            service=ServiceName("shop"),
            component=ComponentName(component),
            target=TargetName(f"eu-{number}"),
        )
        for number, _ in enumerate(serving)
    ]
    known = KnownFacts(
        serving=tuple(
            (placement, Version(name=name, digest="sha256:" + "b" * 64))
            for placement, name in zip(placements, serving, strict=True)
        )
    )
    return await ReviewGate(repository.path.parent).check(replace(question, known=known))


# --- where it is --------------------------------------------------------------------------------


async def test_a_reviewed_commit_on_the_trunk_is_green(repository: Repository) -> None:
    """Trunk-based development needs no more."""
    first = repository.head()
    commit = repository.commit("second", BY_BOB)

    answer = await ask(repository, serving=(first,))

    assert answer.verdict is GREEN, answer.because
    assert (
        answer.because == f"code {commit[:10]} is on main, with 1 new commits, all read by others"
    )
    assert ("code: commit", commit) in answer.facts


async def test_a_commit_on_another_branch_is_red(repository: Repository) -> None:
    """What isn't integrated isn't deployed."""
    repository.switch("feature", start="main")
    commit = repository.commit("second", BY_BOB)

    answer = await ask(repository)

    assert answer.verdict is RED
    assert answer.because == f"commit {commit[:10]} isn't on main or release/*"


async def test_a_release_branch_that_only_holds_the_trunk_s_changes_is_green(
    repository: Repository,
) -> None:
    """A fix goes to the trunk first, and from there to the release."""
    repository.switch("release/1", start="main")
    repository.switch("main")
    fix = repository.commit("fix", BY_BOB)
    repository.commit("later", BY_BOB)
    repository.switch("release/1")
    repository.git("cherry-pick", fix, by="dave@example.com")

    answer = await ask(repository)

    assert answer.verdict is GREEN, answer.because
    assert "is on release/1" in answer.because
    assert (await ask(repository, settings={"branching": "trunk"})).verdict is RED
    assert (await ask(repository, settings={"release": "stable/*"})).verdict is RED


async def test_a_fix_that_isnt_on_the_trunk_is_red(repository: Repository) -> None:
    """Otherwise the next release brings the fault back."""
    repository.switch("release/1", start="main")
    fix = repository.commit("fix", BY_BOB)

    answer = await ask(repository)

    assert answer.verdict is RED
    assert answer.because == (
        f"commit {fix[:10]} of release/1 isn't on main: a fix goes there first"
    )


async def test_a_fix_that_was_changed_on_the_way_is_red(repository: Repository) -> None:
    """Another patch under the same name isn't the one that was tried on the trunk."""
    repository.switch("release/1", start="main")
    repository.switch("main")
    repository.commit("fix", BY_BOB, content="right\n")
    repository.switch("release/1")
    repository.commit("fix", BY_BOB, content="wrong\n")

    assert (await ask(repository)).verdict is RED


async def test_a_merge_on_a_release_branch_is_red(repository: Repository) -> None:
    """What was put into a merge can't be found on the trunk."""
    repository.switch("release/1", start="main")
    repository.switch("side", start="main")
    repository.switch("main")
    fix = repository.commit("fix", BY_BOB)
    repository.switch("side")
    repository.git("cherry-pick", fix)
    repository.switch("release/1")
    repository.merge("side", BY_BOB)

    assert (await ask(repository)).verdict is RED


# --- who read it --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trailers", "verdict"),
    [
        ([BY_BOB], GREEN),
        ([BY_BOB, BY_CAROL], GREEN),
        (["reviewed-by: Bob <BOB@Example.com>"], GREEN),
        ([], RED),
        ([BY_ALICE], RED),
        (["Reviewed-by: Somebody Else <alice@example.com>"], RED),
        (["Reviewed-by: Alice <ALICE@example.com>"], RED),
        (["Reviewed-by: Alice <alice+review@example.com>"], RED),
        (["Reviewed-by: Bob"], RED),
        (["Reviewed-by: <>"], RED),
        (["Reviewed-by: bob@example.com"], RED),
        (["Acked-by: Bob <bob@example.com>"], RED),
        (["Signed-off-by: Bob <bob@example.com>"], RED),
        ([BY_BOB, "Co-authored-by: Bob <bob@example.com>"], RED),
        ([BY_BOB, BY_CAROL, "Co-authored-by: Bob <bob@example.com>"], GREEN),
        (["", BY_BOB, "", "But this isn't the last paragraph."], RED),
    ],
)
async def test_somebody_else_must_have_read_each_new_commit(
    repository: Repository, trailers: list[str], verdict: GateVerdict
) -> None:
    """An author under another name is still the author."""
    first = repository.head()
    repository.commit("second", *trailers)

    answer = await ask(repository, serving=(first,))

    assert answer.verdict is verdict, answer.because


async def test_the_committer_isnt_somebody_else(repository: Repository) -> None:
    """Who applies a patch of another has a hand in it."""
    first = repository.head()
    repository.commit("second", BY_BOB)
    repository.git("commit", "-q", "--amend", "--no-edit", by="bob@example.com")

    answer = await ask(repository, serving=(first,))

    assert answer.verdict is RED
    assert answer.because.endswith("was reviewed by nobody else")


async def test_all_commits_since_the_last_deployment_are_looked_at(repository: Repository) -> None:
    """A reviewed commit on top doesn't cover what is below it."""
    first = repository.head()
    middle = repository.commit("second")
    repository.commit("third", BY_BOB)

    assert (await ask(repository, serving=(first,))).verdict is RED
    assert (await ask(repository, serving=(middle,))).verdict is GREEN


async def test_the_oldest_version_that_serves_counts(repository: Repository) -> None:
    """What is new to one target is new."""
    first = repository.head()
    middle = repository.commit("second")
    repository.commit("third", BY_BOB)

    assert (await ask(repository, serving=(middle, first))).verdict is RED
    assert (await ask(repository, serving=(first, middle))).verdict is RED


@pytest.mark.parametrize("serving", [(), ("1.0.0",), ("f" * 40,)])
async def test_everything_is_looked_at_where_it_isnt_known_what_serves(
    repository: Repository, serving: tuple[str, ...]
) -> None:
    """Unless the gate says where to begin."""
    old = repository.commit("old")
    repository.commit("new", BY_BOB)

    assert (await ask(repository, serving=serving)).verdict is RED
    assert (await ask(repository, settings={"since": old}, serving=serving)).verdict is GREEN


async def test_where_to_begin_doesnt_hide_what_is_new(repository: Repository) -> None:
    """What serves is known better than what was written down."""
    first = repository.head()
    unread = repository.commit("second")

    answer = await ask(repository, settings={"since": unread}, serving=(first,))

    assert answer.verdict is RED


async def test_more_readers_can_be_asked_for(repository: Repository) -> None:
    """Counted in persons."""
    first = repository.head()
    repository.commit("second", BY_BOB, "Reviewed-by: B <bob+2@example.com>")
    two = {"reviews": 2}

    assert (await ask(repository, settings=two, serving=(first,))).verdict is RED
    second = repository.head()
    repository.commit("third", BY_BOB, BY_CAROL)
    assert (await ask(repository, settings=two, serving=(second,))).verdict is GREEN


async def test_reviews_can_be_left_to_others(repository: Repository) -> None:
    """Where a forge enforces them, only the place is looked at."""
    repository.commit("second")

    assert (await ask(repository, settings={"reviews": 0})).verdict is GREEN


@pytest.mark.parametrize(
    ("patterns", "verdict"),
    [("*@example.com", GREEN), ("bob@example.com", GREEN), ("*@example.org", RED), ([], GREEN)],
)
async def test_only_known_readers_count(
    repository: Repository, patterns: Any, verdict: GateVerdict
) -> None:
    """A second account elsewhere isn't a colleague."""
    first = repository.head()
    repository.commit("second", BY_BOB)

    answer = await ask(repository, settings={"reviewers": patterns}, serving=(first,))

    assert answer.verdict is verdict


async def test_the_mailmap_of_the_trunk_tells_who_is_the_same(repository: Repository) -> None:
    """Two addresses of one person are one person."""
    first = repository.commit(
        ".mailmap", BY_BOB, content="Alice <alice@example.com> <a.private@example.org>\n"
    )
    repository.commit("second", "Reviewed-by: A. <a.private@example.org>")

    assert (await ask(repository, serving=(first,))).verdict is RED


async def test_a_mailmap_makes_no_second_person_of_an_author(repository: Repository) -> None:
    """Who maps their own address to a stranger's is still who wrote it."""
    first = repository.commit(
        ".mailmap", BY_BOB, content="Carol <carol@example.org> <alice@example.com>\n"
    )
    repository.commit("second", BY_ALICE)

    assert (await ask(repository, serving=(first,))).verdict is RED


MAPPED = [
    # What the author's address maps to is the author, too.
    ("Alice <alice@example.com> <a.private@example.org>", "a.private@example.org", BY_ALICE),
    # As is what was written, whatever name or address a map makes of it on one side only.
    (
        "C <carol@example.org> alice <alice@example.com>",
        "alice@example.com",
        "Reviewed-by: S <alice@example.com>",
    ),
    (
        "Z <zed@example.org> S <alice@example.com>",
        "alice@example.com",
        "Reviewed-by: S <alice@example.com>",
    ),
]


@pytest.mark.parametrize(("line", "author", "trailer"), MAPPED)
async def test_an_author_is_known_by_each_of_their_addresses(
    repository: Repository, line: str, author: str, trailer: str
) -> None:
    """Whoever else made the commit of it."""
    first = repository.commit(".mailmap", BY_BOB, content=f"{line}\n")
    repository.commit("second", trailer, by=author)
    repository.git("commit", "-q", "--amend", "--no-edit", by="dave@example.com")

    assert (await ask(repository, serving=(first,))).verdict is RED


async def test_a_reader_under_two_addresses_is_one_person(repository: Repository) -> None:
    """As the mailmap tells."""
    first = repository.commit(
        ".mailmap", BY_BOB, content="Bob <bob@example.com> <b.private@example.org>\n"
    )
    repository.commit("second", BY_BOB, "Reviewed-by: B <b.private@example.org>")

    assert (await ask(repository, settings={"reviews": 2}, serving=(first,))).verdict is RED
    assert (await ask(repository, serving=(first,))).verdict is GREEN


async def test_one_unknown_version_among_those_that_serve_is_enough(
    repository: Repository,
) -> None:
    """What is new to the target that serves it can't be told."""
    repository.commit("unread")
    middle = repository.commit("second", BY_BOB)
    repository.commit("third", BY_BOB)

    assert (await ask(repository, serving=(middle,))).verdict is GREEN
    assert (await ask(repository, serving=(middle, "1.0.0"))).verdict is RED


async def test_a_reviewed_merge_covers_what_it_brings(repository: Repository) -> None:
    """As forges write it into the merge and not into each commit."""
    first = repository.head()
    repository.switch("feature", start="main")
    repository.commit("a")
    repository.commit("b")
    repository.switch("main")
    repository.merge("feature", BY_BOB)

    assert (await ask(repository, serving=(first,))).verdict is GREEN


async def test_a_reviewed_merge_covers_nothing_of_its_reader(repository: Repository) -> None:
    """Bob's own commit on the branch was read by nobody."""
    first = repository.head()
    repository.switch("feature", start="main")
    repository.commit("a", by="bob@example.com")
    repository.switch("main")
    repository.merge("feature", BY_BOB)

    assert (await ask(repository, serving=(first,))).verdict is RED


async def test_a_reviewed_merge_covers_nothing_of_its_first_parent(repository: Repository) -> None:
    """What was pushed to the trunk beside it stays unread."""
    first = repository.head()
    pushed = repository.commit("b")
    repository.switch("feature", start="main")
    repository.commit("a", BY_BOB)
    repository.switch("main")
    repository.commit("c", BY_BOB)
    repository.merge("feature", BY_BOB)

    answer = await ask(repository, serving=(first,))

    assert answer.verdict is RED
    assert pushed[:10] in answer.because


async def test_a_plain_merge_of_reviewed_commits_needs_no_review(repository: Repository) -> None:
    """Git made it alone, which is checked by merging again."""
    first = repository.head()
    repository.switch("feature", start="main")
    repository.commit("a", BY_BOB)
    repository.switch("main")
    repository.commit("b", BY_BOB)
    repository.merge("feature")

    assert (await ask(repository, serving=(first,))).verdict is GREEN


async def test_a_merge_with_something_put_in_needs_a_review(repository: Repository) -> None:
    """A change that is in no commit hides in a merge."""
    first = repository.head()
    repository.switch("feature", start="main")
    repository.commit("a", BY_BOB)
    repository.switch("main")
    repository.commit("b", BY_BOB)
    repository.merge("feature")
    (repository.path / "evil").write_text("evil", encoding="utf-8")
    repository.git("add", "-A")
    repository.git("commit", "-q", "--amend", "--no-edit")

    assert (await ask(repository, serving=(first,))).verdict is RED


async def test_looking_leaves_the_repository_as_it_is(repository: Repository) -> None:
    """Merging on trial writes nothing into it."""
    repository.switch("feature", start="main")
    repository.commit("first", BY_BOB, content="one\n")
    repository.switch("main")
    repository.commit("first", BY_BOB, content="two\n")
    before = sorted(str(path) for path in repository.path.rglob("*"))

    answer = await ask(repository)

    assert ("would conflict with the trunk", "feature") in answer.facts
    assert sorted(str(path) for path in repository.path.rglob("*")) == before


# --- branches -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "verdict"), [(13, GREEN), (15, RED)])
async def test_old_work_that_is_merged_is_red(
    repository: Repository, days: int, verdict: GateVerdict
) -> None:
    """Long-lived branches are large, risky merges."""
    first = repository.head()
    repository.switch("feature", start="main")
    repository.commit("a", BY_BOB, at=START - timedelta(days=days))
    repository.commit("b", BY_BOB, at=START)
    repository.switch("main")
    repository.merge("feature", BY_BOB, at=START)

    answer = await ask(repository, serving=(first,))

    assert answer.verdict is verdict, answer.because
    assert (
        await ask(repository, settings={"branch_age": "30d"}, serving=(first,))
    ).verdict is GREEN


async def test_branches_named_after_environments_are_told(repository: Repository) -> None:
    """As a warning: they aren't what is deployed."""
    for name in ("develop", "env/staging", "feature"):
        repository.git("branch", name)

    answer = await ask(repository)

    assert answer.verdict is GREEN
    assert dict(answer.facts)["branches named after environments"] == "develop, env/staging"


# --- which commit -------------------------------------------------------------------------------


async def test_a_version_is_found_by_its_tag(repository: Repository) -> None:
    """Tags of versions can't be overruled by a statement."""
    tagged = repository.head()
    repository.git("tag", "-a", "v1.1.0", "-m", "1.1.0")
    unread = repository.commit("second")
    by_tag = {"tag": "v{version}"}

    assert (await ask(repository, "1.1.0", by_tag)).verdict is GREEN
    stated = await ask(repository, "1.1.0", by_tag, statement={"commit": unread})
    assert ("code: commit", tagged) in stated.facts
    assert (await ask(repository, "1.2.0", by_tag, statement={"commit": tagged})).verdict is UNKNOWN
    assert (await ask(repository, tagged, by_tag)).verdict is UNKNOWN


@pytest.mark.parametrize(
    ("statement", "verdict"),
    [
        ({"commit": "HEAD-ID"}, GREEN),
        ({"commits": {"code": "HEAD-ID"}}, GREEN),
        ({"commits": {"web": "HEAD-ID"}}, UNKNOWN),
        ({}, UNKNOWN),
        ([], UNKNOWN),
        ({"commit": "main"}, UNKNOWN),
        ({"commit": "HEAD"}, UNKNOWN),
        ({"commit": "refs/heads/main"}, UNKNOWN),
        ({"commit": "--upload-pack=touch evil"}, UNKNOWN),
        ({"commit": "-h"}, UNKNOWN),
        ({"commit": "f" * 40}, UNKNOWN),
        ({"commit": None}, UNKNOWN),
        (None, UNKNOWN),
    ],
)
async def test_a_statement_can_say_the_commit(
    repository: Repository, statement: Any, verdict: GateVerdict
) -> None:
    """By its whole id only."""
    written = json.loads(json.dumps(statement).replace("HEAD-ID", repository.head()))

    answer = await ask(repository, "1.1.0", statement=written)

    assert answer.verdict is verdict, answer.because


async def test_a_statement_doesnt_replace_a_commit_that_isnt_there(repository: Repository) -> None:
    """A version that is a commit is that commit."""
    answer = await ask(repository, "f" * 40, statement={"commit": repository.head()})

    assert answer.verdict is UNKNOWN


HOSTILE = [
    "--upload-pack=touch evil",
    "-h",
    "main --exec=evil",
    "main;touch evil",
    "$(touch evil)",
    "../../etc/passwd",
    "main@{upstream}",
    "main..evil",
    ":/fix",
    "^main",
    "a\nb",
    "",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("settings", [{}, {"tag": "v{version}"}, {"tag": "{version}"}])
async def test_a_hostile_version_does_nothing(
    repository: Repository, name: str, settings: Any
) -> None:
    """No version can be an option, a revision expression or a command."""
    before = sorted(repository.path.iterdir())

    answer = await ask(repository, name or " ", settings, statement={"commit": name})

    assert answer.verdict is UNKNOWN
    assert sorted(repository.path.iterdir()) == before


@pytest.mark.parametrize(
    "settings",
    [
        {"repository": "../outside"},
        {"repository": "/etc"},
        {"repository": "-x"},
        {"trunk": "--all"},
        {"trunk": "main:evil"},
        {"release": "--all"},
        {"release": "x y"},
        {"tag": "v"},
        {"tag": "--{version};"},
        {"since": "main"},
        {"since": "HEAD~1"},
        {"branching": "gitflow"},
        {"reviews": -1},
    ],
)
async def test_hostile_settings_are_refused(repository: Repository, settings: Any) -> None:
    """Before git is started."""
    with pytest.raises(InvalidDocumentError):
        await ask(repository, settings=settings)


async def test_components_that_are_built_elsewhere_are_left_alone(repository: Repository) -> None:
    """A change of something else says nothing about this repository."""
    only_code = {"components": "code"}

    assert (await ask(repository, "1", only_code, component="web")).verdict is GREEN
    assert (await ask(repository, "1", only_code)).verdict is UNKNOWN


# --- what the operator has to give --------------------------------------------------------------


async def test_without_a_folder_of_repositories_it_isnt_known(repository: Repository) -> None:
    """The server isn't told where to look by a service."""
    question = a_question("review", {"repository": "shop"})

    answer = await ReviewGate(None).check(question)

    assert answer.verdict is UNKNOWN
    assert "no folder of repositories" in answer.because


async def test_a_repository_outside_of_the_folder_isnt_looked_at(
    repository: Repository, tmp_path: Path
) -> None:
    """Not by dots, and not through a link."""
    outside = Repository(tmp_path / "outside")
    commit = outside.commit("first", BY_BOB)
    (repository.path.parent / "link").symlink_to(outside.path)

    assert (await ask(outside, commit)).verdict is GREEN
    for name in ("link", "shop/../../outside", "missing"):
        answer = await ask(repository, commit, {"repository": name})
        assert answer.because == f"the review isn't known: this server has no repository `{name}`"


async def test_a_part_of_a_history_isnt_enough(repository: Repository, tmp_path: Path) -> None:
    """What was cut off can't have been read."""
    repository.commit("second", BY_BOB)
    shallow = repository.path.parent / "shallow"
    repository.git("clone", "-q", "--depth=1", repository.path.as_uri(), str(shallow))

    answer = await ask(repository, settings={"repository": "shallow"})

    assert answer.verdict is UNKNOWN
    assert "only a part of its history" in answer.because


async def test_without_git_it_cant_be_asked(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Which a later look may mend."""
    commit = repository.head()
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(GateError, match="git can't be run"):
        await ask(repository, commit)


async def test_a_folder_that_is_no_repository_cant_be_asked(repository: Repository) -> None:
    """Nor is it taken for an empty one."""
    (repository.path.parent / "empty").mkdir()

    with pytest.raises(GateError, match="isn't a git repository"):
        await ask(repository, settings={"repository": "empty"})


async def test_more_commits_than_can_be_looked_at_arent_known(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than those that fit."""
    repository.commit("second", BY_BOB)
    monkeypatch.setattr(history, "MAXIMUM_COMMITS", 1)

    answer = await ask(repository)

    assert answer.verdict is UNKNOWN
    assert "more than 1 commits" in answer.because


async def test_a_mirror_serves_as_well(repository: Repository) -> None:
    """As an operator would keep it."""
    repository.git("clone", "-q", "--mirror", ".", "../mirror.git")

    assert (await ask(repository, settings={"repository": "mirror.git"})).verdict is GREEN
    assert (await ask(repository, settings={"trunk": "trunk"})).verdict is UNKNOWN


async def test_replaced_history_is_seen_as_it_was(repository: Repository) -> None:
    """A replacement shows viewers another commit than the one that is built."""
    first = repository.head()
    unread = repository.commit("second")
    repository.switch("side", start=first)
    read = repository.commit("second", BY_BOB)
    repository.git("replace", unread, read)
    repository.switch("main")

    assert (await ask(repository, unread, serving=(first,))).verdict is RED


async def test_settings_and_hooks_of_the_repository_start_nothing(
    repository: Repository, tmp_path: Path
) -> None:
    """Nobody gets a program run by what lies in a repository."""
    mark = tmp_path / "ran"
    script = tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\ntouch {mark}\n", encoding="utf-8")
    script.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "diff.external", "core.sshCommand", "core.editor"):
        repository.git("config", key, str(script))
    repository.git("config", "diff.x.textconv", str(script))
    repository.git("config", "merge.x.driver", str(script))
    first = repository.commit("first", BY_BOB)
    (repository.path / ".gitattributes").write_text("* diff=x merge=x\n", encoding="utf-8")
    repository.switch("feature", start="main")
    repository.commit("first", BY_BOB, content="one\n")
    repository.switch("main")
    repository.commit("first", BY_BOB, content="two\n")
    mark.unlink(missing_ok=True)

    answer = await ask(repository, serving=(first,))

    assert answer.verdict is GREEN, answer.because
    assert not mark.exists()


@pytest.mark.parametrize(
    ("address", "normal"),
    [
        ("Bob@Example.COM", "bob@example.com"),
        ("bob+git@example.com", "bob@example.com"),
        ("123+bob@users.noreply.github.com", "bob@users.noreply.github.com"),
        ("bob@users.noreply.github.com", "bob@users.noreply.github.com"),
    ],
)
def test_an_address_has_one_form(address: str, normal: str) -> None:
    """So that one person isn't taken for two."""
    assert normal_address(address) == normal


@pytest.mark.parametrize("name", ["v1.2.3", "release/2030-01", "a+b_c"])
def test_plain_names_of_refs_are_taken(name: str) -> None:
    """And nothing else; see the hostile ones above."""
    assert is_ref_name(name)
    assert not any(is_ref_name(hostile) for hostile in HOSTILE)
