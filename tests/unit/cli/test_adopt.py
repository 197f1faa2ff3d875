"""`simulate --adopt`: a plan gets into the file, on a branch of its own, and nothing else moves."""

import subprocess
from pathlib import Path

import pytest
from git_repositories import Repository
from served_world import Cli

from tidegate.testing.memory_world import DOCUMENT

SLOWER = DOCUMENT.replace("traffic: 10%", "traffic: 1%")
QUICKLY = ("--runs", "1", "--scenario", "bad-config")


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch, elsewhere: Path) -> None:
    """Make git know a person, and nothing of this machine."""
    monkeypatch.setenv("HOME", str(elsewhere.parent))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Dana")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "dana@example.com")


@pytest.fixture
def repository(elsewhere: Path, monkeypatch: pytest.MonkeyPatch, person: None) -> Repository:
    """Return a repository with the shop's file in it, the present folder, and another plan beside."""
    made = Repository(elsewhere / "repo")
    made.commit("tidegate.yaml", content=DOCUMENT)
    made.commit("other.txt", content="one\n")
    (made.path / "slower.yaml").write_text(SLOWER)
    monkeypatch.chdir(made.path)
    return made


def standing(repository: Repository) -> tuple[str, ...]:
    """Return all that must not change: what is checked out, the index, the working tree, other branches."""
    return (
        repository.git("symbolic-ref", "-q", "HEAD"),
        repository.head(),
        repository.git("status", "--porcelain=v2"),
        repository.git("ls-files", "--stage"),
        repository.git("diff"),
        repository.git("stash", "list"),
    )


def adopted(cli: Cli, *words: str, plan: str = "slower") -> str:
    """Adopt *plan* and return what is said to a person."""
    done = cli("simulate", *QUICKLY, "--adopt", plan, "--yes", *words)
    assert done.code == 0, done.err
    return done.out


# --- in a repository -----------------------------------------------------------------------------


def test_a_branch_with_one_commit_of_that_file_alone(cli: Cli, repository: Repository) -> None:
    """Off what is checked out; its message has the figures; nothing of the person's moved."""
    (repository.path / "other.txt").write_text("two\n")
    repository.git("add", "other.txt")
    (repository.path / "other.txt").write_text("three\n")
    before, head = standing(repository), repository.head()

    out = adopted(cli)

    branch = "tidegate/plan-slower"
    assert standing(repository) == before
    assert repository.git("rev-parse", f"{branch}^") == head
    assert repository.git("diff", "--name-only", head, branch) == "tidegate.yaml"
    assert repository.git("show", f"{branch}:tidegate.yaml") == SLOWER.strip()
    message = repository.git("log", "-1", "--format=%B", branch)
    assert message.startswith("Take plan slower.yaml for shop\n")
    assert message.splitlines()[4].split() == ["plan", "main", "plan", "slower.yaml"]
    assert "harm caught" in message
    assert "Result sha256:" in message
    assert repository.git("log", "-1", "--format=%an", branch) == "Dana"
    assert f"branch {branch} has it" in out
    assert "this repository has no remote" in out
    assert "plan slower.yaml" in out.splitlines()[0]


def test_the_difference_is_shown_and_is_a_patch(cli: Cli, repository: Repository) -> None:
    """As git would take it, and to standard error: standard output is the document's."""
    done = cli("simulate", *QUICKLY, "--adopt", "slower", "--yes", "-o", "json")

    document = done.json()["adopted"]
    assert "+    - {name: few, traffic: 1%, bake: 10s}" in done.err
    assert document["branch"] == "tidegate/plan-slower"
    assert document["commit"] == repository.git("rev-parse", "tidegate/plan-slower")
    assert (document["written"], document["pushed"], document["pull_request"]) == (
        False,
        False,
        None,
    )
    (repository.path / "plan.patch").write_text(document["patch"])
    repository.git("apply", "plan.patch")
    assert (repository.path / "tidegate.yaml").read_text() == SLOWER


def test_a_plan_of_the_library_is_named(cli: Cli, repository: Repository) -> None:
    """In place of the phases that stood there."""
    out = adopted(cli, plan="lab")

    text = repository.git("show", "tidegate/plan-lab:tidegate.yaml")
    assert text.endswith("min_requests: 100}\nplan: lab")
    assert "plan main" in out.splitlines()[0]


def test_what_is_compared_can_be_adopted(cli: Cli, repository: Repository) -> None:
    """By the name that stands in the table."""
    adopted(cli, "--compare", "plan:main", "plan:lab", plan="plan:lab")

    assert repository.git("branch", "--list", "tidegate/*").split() == ["tidegate/plan-lab"]


def test_a_detached_head_is_where_it_starts(cli: Cli, repository: Repository) -> None:
    """Nothing needs a branch to be checked out."""
    head = repository.head()
    repository.git("checkout", "-q", "--detach")

    adopted(cli)

    assert repository.git("rev-parse", "tidegate/plan-slower^") == head


def test_a_worktree_gets_its_own_head(
    cli: Cli, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The branch begins where the worktree stands, and not where the first one does."""
    folder = repository.path.parent / "second"
    repository.git("worktree", "add", "-q", "-b", "second", str(folder), "HEAD~1")
    (folder / "slower.yaml").write_text(SLOWER)
    monkeypatch.chdir(folder)

    adopted(cli)

    assert repository.git("rev-parse", "tidegate/plan-slower^") == repository.git(
        "rev-parse", "second"
    )


def test_a_file_in_a_folder_of_a_submodule_is_committed_there(
    cli: Cli, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the submodule's repository; the one around it isn't touched."""
    inner = Repository(repository.path.parent / "inner")
    inner.commit("deploy here/tidegate.yaml", content=DOCUMENT)
    repository.git(
        "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.path), "sub"
    )
    repository.git("commit", "-q", "-m", "Take it in")
    folder = repository.path / "sub" / "deploy here"
    (folder / "slower.yaml").write_text(SLOWER)
    monkeypatch.chdir(folder)

    adopted(cli)

    assert repository.git("branch", "--list", "tidegate/*") == ""
    changed = repository.git("-C", "sub", "diff", "--name-only", "HEAD", "tidegate/plan-slower")
    assert changed == "deploy here/tidegate.yaml"


def test_a_hook_of_another_repository_does_not_lead_astray(
    cli: Cli, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is the repository around the file, whatever the environment says."""
    other = Repository(repository.path.parent / "another")
    other.commit("tidegate.yaml")
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.path / ".git" / "index"))

    adopted(cli)

    assert other.git("branch", "--list", "tidegate/*") == ""
    assert repository.git("branch", "--list", "tidegate/*") != ""


@pytest.mark.parametrize("converts", [True, False])
def test_ends_of_lines_stay_as_they_are(cli: Cli, repository: Repository, converts: bool) -> None:
    """Carriage returns in the file, whether git keeps them or converts them on the way in."""
    windows = DOCUMENT.replace("\n", "\r\n").encode()
    if converts:
        repository.git("config", "core.autocrlf", "true")
    (repository.path / "tidegate.yaml").write_bytes(windows)
    repository.git("add", "tidegate.yaml")
    repository.git("commit", "-q", "-m", "Ends of lines", "--allow-empty")

    adopted(cli)

    show = ["git", "show", "tidegate/plan-slower:tidegate.yaml"]
    kept = subprocess.run(show, capture_output=True, check=True).stdout
    assert kept == (SLOWER if converts else SLOWER.replace("\n", "\r\n")).encode()
    changed = repository.git("diff", "--numstat", "HEAD", "tidegate/plan-slower")
    assert changed.split() == ["1", "1", "tidegate.yaml"]


# --- what stands in the way ----------------------------------------------------------------------


def refused(cli: Cli, *words: str) -> str:
    done = cli("simulate", *QUICKLY, "--adopt", "slower", "--yes", *words)
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err
    return done.err


@pytest.mark.parametrize("staged", [True, False])
def test_changes_that_are_not_committed_stay_whose_they_are(
    cli: Cli, repository: Repository, staged: bool
) -> None:
    """In the file, or only in the index: nothing of them gets onto the branch, or under the table."""
    file = repository.path / "tidegate.yaml"
    file.write_text(DOCUMENT.replace("team-shop", "team-mall"))
    if staged:
        repository.git("add", "tidegate.yaml")
        file.write_text(DOCUMENT)

    said = refused(cli)

    assert "has changes that aren't committed" in said
    assert "git commit" in said
    assert repository.git("branch", "--list", "tidegate/*") == ""


def test_a_file_that_git_does_not_know_is_committed_first(cli: Cli, repository: Repository) -> None:
    """A branch off the last commit couldn't show what changes."""
    repository.git("rm", "-q", "--cached", "tidegate.yaml")
    repository.git("commit", "-q", "-m", "Forget it")

    assert "isn't in the last commit" in refused(cli)


def test_a_repository_without_a_commit_has_nothing_to_branch_off(
    cli: Cli, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said so, and not git's own words."""
    fresh = Repository(repository.path.parent / "fresh")
    for name, text in (("tidegate.yaml", DOCUMENT), ("slower.yaml", SLOWER)):
        (fresh.path / name).write_text(text)
    monkeypatch.chdir(fresh.path)

    assert "has no commit yet" in refused(cli)


def test_a_link_is_not_written_over(cli: Cli, repository: Repository) -> None:
    """A commit would make a plain file of it."""
    (repository.path / "tidegate.yaml").rename(repository.path / "real.yaml")
    (repository.path / "tidegate.yaml").symlink_to("real.yaml")
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "Link it")

    assert "is a link" in refused(cli)


def test_a_branch_that_is_there_stays(cli: Cli, repository: Repository) -> None:
    """Somebody may be working on it; another name does."""
    repository.git("branch", "tidegate/plan-slower")

    said = refused(cli)
    adopted(cli, "--branch", "shop-slower")

    assert "there is a branch tidegate/plan-slower already" in said
    assert repository.git("rev-parse", "tidegate/plan-slower") == repository.head()
    assert repository.git("rev-parse", "shop-slower^") == repository.head()


def test_a_repository_that_git_refuses_is_not_taken_for_none(
    cli: Cli, repository: Repository
) -> None:
    """Else the file would be written where a branch was promised."""
    (repository.path / ".git" / "config").write_text("[core\n")

    assert "git rev-parse refused" in refused(cli)
    assert (repository.path / "tidegate.yaml").read_text() == DOCUMENT


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--adopt", "galaxy"], "there is no plan 'galaxy'"),
        (["--adopt", "main", "--compare", "plan:lab"], "is the plan that the file has"),
        (["--adopt", "slower", "--compare", "plan:lab"], "no plan that is simulated here"),
        (["--push"], "there is nothing to adopt"),
        (["--adopt", "slower", "--push"], "nowhere to push"),
        (["--adopt", "slower", "--branch", "a..b"], "can't be the name of a branch"),
    ],
)
def test_what_can_not_be_adopted_is_told_before_anything_is_simulated(
    cli: Cli, repository: Repository, words: list[str], told: str
) -> None:
    """A sentence and a hint, and no table yet."""
    done = cli("simulate", *QUICKLY, *words)

    assert (done.code, done.out) == (2, "")
    assert told in done.err


def test_a_file_that_differs_in_more_than_its_plan_is_refused(
    cli: Cli, repository: Repository
) -> None:
    """What was simulated wouldn't be what the file gives: another tolerance is another plan."""
    text = SLOWER.replace("errors: 5pp", "errors: 1pp")
    (repository.path / "slower.yaml").write_text(text)

    said = refused(cli)

    assert "would not give what was simulated" in said
    assert "signals[0]" in said


def test_without_a_terminal_nobody_is_asked(cli: Cli, repository: Repository) -> None:
    """What was simulated is shown, and nothing is done."""
    done = cli("simulate", *QUICKLY, "--adopt", "slower")

    assert done.code == 2
    assert "say --yes" in done.err
    assert repository.git("branch", "--list", "tidegate/*") == ""


# --- the remote ----------------------------------------------------------------------------------


def test_the_push_and_the_pull_request_are_ready_to_be_used(
    cli: Cli, repository: Repository
) -> None:
    """The line and the address; not a word that either had happened."""
    repository.git("remote", "add", "origin", "git@github.com:acme/shop.git")

    out = adopted(cli)

    assert "git push origin tidegate/plan-slower" in out
    assert "https://github.com/acme/shop/compare/tidegate/plan-slower?expand=1" in out
    assert "is pushed" not in out


def test_it_pushes_when_told_to(cli: Cli, repository: Repository) -> None:
    """The branch alone."""
    remote = repository.path.parent / "remote.git"
    repository.git("init", "-q", "--bare", str(remote))
    repository.git("remote", "add", "origin", str(remote))

    out = adopted(cli, "--push")

    assert "it is pushed" in out
    listed = repository.git("ls-remote", "--heads", "origin").split()
    assert listed == [
        repository.git("rev-parse", "tidegate/plan-slower"),
        "refs/heads/tidegate/plan-slower",
    ]


def test_a_push_that_fails_says_that_the_branch_is_there(cli: Cli, repository: Repository) -> None:
    """And how to push it later."""
    repository.git("remote", "add", "origin", str(repository.path.parent / "gone.git"))

    done = cli("simulate", *QUICKLY, "--adopt", "slower", "--yes", "--push")

    assert done.code == 2
    assert "branch tidegate/plan-slower is made, and wasn't pushed" in done.err
    assert "git push origin tidegate/plan-slower" in done.err


# --- outside of a repository ---------------------------------------------------------------------


def test_outside_of_a_repository_the_file_is_written(cli: Cli, shop: Path, person: None) -> None:
    """After the same look at what changes."""
    (shop.parent / "slower.yaml").write_text(SLOWER)

    done = cli("simulate", *QUICKLY, "--adopt", "slower", "--yes", "-o", "json")

    assert done.code == 0, done.err
    assert shop.read_text() == SLOWER
    assert done.json()["adopted"]["written"] is True
    assert done.json()["adopted"]["branch"] is None
