"""Access on the command line: given, listed, checked and taken away."""

from served_world import Cli, Server

GRANT = ("access", "grant", "person:bob", "operator", "--scope", "default/default/lab")


def test_access_is_given_and_taken_away(cli: Cli, server: Server) -> None:
    """What was given is listed until it is revoked, and then only with --all."""
    given = cli(*GRANT, "--for", "8h", "--reason", "on call", "-o", "json")
    listed = cli("access", "list")
    grant = given.json()["id"]
    revoked = cli("access", "revoke", grant, "--reason", "off call")
    after = cli("access", "list")
    every = cli("access", "list", "--all", "-o", "name")

    assert given.code == 0, given.err
    assert "person:bob  operator  default/default/lab  in force until in 8h" in listed.out
    assert revoked.code == 0, revoked.err
    assert "revoked" in revoked.out
    assert after.out == "no grants that you may see\n"
    assert every.out == f"{grant}\n"


def test_a_deny_is_shown_as_one(cli: Cli, server: Server) -> None:
    """So that nobody takes it for a right."""
    denied = cli(*GRANT, "--deny", "--reason", "moved to another team")

    assert denied.code == 0, denied.err
    assert "not operator" in denied.out


def test_a_grant_needs_a_reason_and_a_scope_that_is_one(cli: Cli, server: Server) -> None:
    """Both are the caller's slip: exit code 2, and nothing on file."""
    wild = "default/default/*"

    told = [
        cli(*GRANT),
        cli("access", "grant", "person:bob", "operator", "--scope", wild, "--reason", "x"),
        cli("access", "grant", "bob", "operator", "--scope", "default", "--reason", "x"),
        cli(*GRANT, "--for", "soon", "--reason", "x"),
    ]

    assert [one.code for one in told] == [2, 2, 2, 2]
    assert "wildcard for the environment" in told[1].err
    assert cli("access", "list", "--all").out == "no grants that you may see\n"


def test_the_roles_are_listed(cli: Cli, server: Server) -> None:
    """Each with what it lets somebody do."""
    told = cli("access", "roles")
    names = cli("access", "roles", "-o", "name")

    assert told.code == 0, told.err
    assert "incident-commander" in told.out
    assert "read, halt, alarm" in told.out
    assert len(names.out.split()) == 9


def test_a_check_says_who_may(cli: Cli, server: Server) -> None:
    """The server's own token may everything; the answer names those who may besides."""
    server.installed()
    cli(*GRANT, "--reason", "on call")

    told = cli("access", "check", "resume", "shop")
    unknown = cli("access", "check", "resume", "shpo")
    nonsense = cli("access", "check", "fly")

    assert told.code == 0, told.err
    assert "may resume on default/default/lab/eu" in told.out
    assert "holds the server's own token" in told.out
    assert "granted to: person:bob" in told.out
    assert (unknown.code, nonsense.code) == (2, 2)


def test_revoking_what_is_not_there_is_told(cli: Cli, server: Server) -> None:
    """Also when the name can't be one."""
    assert cli("access", "revoke", "g-none", "--reason", "x").code == 2
    assert cli("access", "revoke", "../stops", "--reason", "x").code == 2
