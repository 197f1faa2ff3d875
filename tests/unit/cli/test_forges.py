"""Where a pull request is opened: by the remote's address, for hosts that are known, and without secrets."""

import pytest

from tidegate.cli.forges import pull_request_address

BRANCH = "tidegate/plan-slower"


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        (
            "git@github.com:acme/shop.git",
            "https://github.com/acme/shop/compare/tidegate/plan-slower?expand=1",
        ),
        (
            "https://dana:secret@github.com/acme/shop",
            "https://github.com/acme/shop/compare/tidegate/plan-slower?expand=1",
        ),
        (
            "ssh://git@gitlab.example.com:2222/acme/group/shop.git/",
            "https://gitlab.example.com/acme/group/shop/-/merge_requests/new"
            "?merge_request%5Bsource_branch%5D=tidegate%2Fplan-slower",
        ),
        (
            "git@bitbucket.org:acme/shop.git",
            "https://bitbucket.org/acme/shop/pull-requests/new?source=tidegate%2Fplan-slower",
        ),
        (
            "http://gitea.example.com:3000/acme/a shop.git",
            "http://gitea.example.com:3000/acme/a%20shop/compare/tidegate/plan-slower",
        ),
        (
            "git@CODEBERG.org:acme/shop",
            "https://codeberg.org/acme/shop/compare/tidegate/plan-slower",
        ),
    ],
)
def test_known_hosts(remote: str, address: str) -> None:
    """With neither a password nor the port of another protocol in it."""
    assert pull_request_address(remote, BRANCH, base=None) == address


@pytest.mark.parametrize(
    "remote",
    [
        "/srv/git/shop.git",
        "../shop",
        "file:///srv/git/shop.git",
        "C:\\shop",
        "https://example.com/acme/shop",
        "https://notgithub.com/acme/shop",
        "git@github.com:",
        "https://github.com",
        "https://github.com:port/acme/shop",
        "javascript://github.com/acme/shop",
        "",
    ],
)
def test_no_address_is_better_than_a_wrong_one(remote: str) -> None:
    """Of folders, hosts that aren't known, and what looks like one that is."""
    assert pull_request_address(remote, BRANCH, base=None) is None


def test_the_base_is_said_where_it_is_known() -> None:
    """Otherwise the forge takes its own main branch."""
    address = pull_request_address("git@github.com:acme/shop.git", BRANCH, base="trunk")

    assert address == "https://github.com/acme/shop/compare/trunk...tidegate/plan-slower?expand=1"
