"""The policy over HTTP: what is in force, what was, and putting another in force."""

import httpx

TEXT = "version: 1\npeople: {alice: {}}\n"


async def test_a_policy_is_shown_as_it_was_written(client: httpx.AsyncClient) -> None:
    """Before the first there is none; afterwards the text comes back to the letter, with its history."""
    none = (await client.get("/v1/policy")).json()
    applied = await client.post("/v1/policy", json={"text": TEXT, "at": "", "reason": "first"})
    shown = (await client.get("/v1/policy")).json()
    again = await client.post(
        "/v1/policy",
        json={"text": TEXT + "# more\n", "at": shown["digest"], "reason": "a comment"},
    )
    history = (await client.get("/v1/policy/history")).json()["versions"]

    assert (none["number"], none["digest"], none["text"]) == (0, "", "")
    assert applied.status_code == again.status_code == 200
    assert (shown["number"], shown["text"], shown["by"], shown["person"]) == (
        1,
        TEXT,
        "alice",
        "alice",
    )
    assert [one["number"] for one in history] == [2, 1]
    # A comment makes a version of its own, but nothing else was agreed to.
    assert history[0]["digest"] == history[1]["digest"]


async def test_what_cannot_be_put_in_force_says_why(client: httpx.AsyncClient) -> None:
    """A broken file with its places, and an old version as a conflict."""
    broken = await client.post(
        "/v1/policy", json={"text": "version: 1\npepole: {}\n", "at": "", "reason": "x"}
    )
    moved = await client.post(
        "/v1/policy", json={"text": TEXT, "at": "sha256:other", "reason": "x"}
    )

    assert (broken.status_code, broken.json()["code"]) == (422, "document.invalid")
    assert "tidegate-org.yaml:2:1" in broken.json()["detail"]
    assert (moved.status_code, moved.json()["code"]) == (409, "state.moved")
