"""Signed messages of other systems: what isn't signed, whole, new and now is refused before it is read."""

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from tidegate.api.app import create_app
from tidegate.api.guard import MAX_BODY_BYTES
from tidegate.domain.quantities import NO_EXPOSURE
from tidegate.domain.rollout.machine import State
from tidegate.drivers.secrets.folder import SecretFolder
from tidegate.testing.memory_world import DOCUMENT, MemoryWorld
from tidegate.usecases.hooks import HOOK_DELIVERIES, forget_deliveries, signature_of

SECRET = b"a-secret-of-a-hook-with-32-or-more"
OTHER = b"another-secret-of-another-hook-000"
ALARM = {
    "severity": "page",
    "kind": "alert",
    "service": "shop",
    "summary": "checkout fails",
    "source": "grafana",
    "fingerprint": "f-1",
}


@dataclass
class Hook:
    """A sender of messages, and the world that takes them."""

    world: MemoryWorld
    client: httpx.AsyncClient
    folder: Path

    @property
    def now(self) -> int:
        return int(self.world.clock.now().timestamp())

    async def send(
        self,
        body: bytes,
        signature: str | bytes | list[str] | None = None,
        delivery: str | list[str] | None = "delivery-1",
        *,
        hook: str = "grafana",
        kind: str = "alarms",
    ) -> httpx.Response:
        headers: list[tuple[Any, Any]] = [(b"content-type", b"application/json")]
        for name, given in (("tidegate-signature", signature), ("tidegate-delivery", delivery)):
            values = [] if given is None else given if isinstance(given, list) else [given]
            headers += [(name, value) for value in values]
        raw = [
            tuple(part.encode() if isinstance(part, str) else part for part in pair)
            for pair in headers
        ]
        return await self.client.post(f"/hooks/{hook}/{kind}", content=body, headers=raw)  # type: ignore[arg-type]

    def signed(
        self, body: bytes, *, delivery: str = "delivery-1", secret: bytes = SECRET, late: int = 0
    ) -> str:
        return signature_of(secret, sent_at=self.now + late, delivery=delivery, body=body)

    def stored(self) -> int:
        with self.world.store.begin(read_only=True) as transaction:
            return len(transaction.alarms()) + len(HOOK_DELIVERIES.latest(transaction))


def a_body(**changes: Any) -> bytes:
    return json.dumps({**ALARM, **changes}).encode()


@pytest.fixture
async def hook(world: MemoryWorld, tmp_path: Path) -> Hook:
    """Return a hook with a secret, which may raise alarms for everything, and an installed shop."""
    folder = tmp_path / "hooks"
    folder.mkdir()
    for name, secret in (("grafana", SECRET), ("other", OTHER)):
        (folder / name).write_bytes(secret + b"\n")
        (folder / name).chmod(0o600)
    await world.installed(document=DOCUMENT)
    app = create_app(
        replace(world.outside, secrets=SecretFolder(folder)), token="root", version="0"
    )
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app, raise_app_exceptions=False),
        base_url="http://127.0.0.1",
    )
    given = await client.post(
        "/v1/access/grants",
        json={
            "subject": "program:hook-grafana",
            "role": "viewer",
            "scope": "default",
            "reason": "alerts",
        },
        headers={"authorization": "Bearer root", "tidegate-actor": "alice"},
    )
    assert given.status_code == 201, given.text
    return Hook(world, client, folder)


async def test_a_signed_page_withdraws_at_once(hook: Hook) -> None:
    """And is taken once: the same message again changes nothing."""
    no_approval = DOCUMENT.replace(", approve: 1 of team-release", "")
    rollout = await hook.world.start("1.1.0", document=no_approval)
    rollout = await hook.world.run(rollout.id, until={State.BAKING})
    body = a_body()

    taken = await hook.send(body, hook.signed(body))
    again = await hook.send(body, hook.signed(body))
    renamed = await hook.send(body, hook.signed(body), "delivery-2")

    assert taken.status_code == 202, taken.text
    assert taken.json()["halted"] == [rollout.id]
    placement = rollout.plan.placements()[0]
    assert hook.world.component.served(placement).exposure == NO_EXPOSURE
    assert (again.status_code, again.json()["code"]) == (409, "refused")
    assert renamed.status_code == 401


async def test_a_relay_may_sign_what_alertmanager_sends(hook: Hook) -> None:
    """The same message as with a token."""
    message = {
        "version": "4",
        "alerts": [
            {
                "status": "firing",
                "labels": {"service": "shop", "severity": "page"},
                "startsAt": "2026-03-01T11:59:00Z",
                "fingerprint": "abc",
            }
        ],
    }
    body = json.dumps(message).encode()

    answer = await hook.send(body, hook.signed(body), kind="alertmanager")

    assert answer.status_code == 200, answer.text
    assert answer.json()["raised"] == 1


Case = Callable[[Hook, bytes], tuple[bytes, Any, Any]]

NOT_SIGNED: dict[str, Case] = {
    "nothing": lambda h, b: (b, None, None),
    "no signature": lambda h, b: (b, None, "delivery-1"),
    "no delivery": lambda h, b: (b, h.signed(b), None),
    "empty signature": lambda h, b: (b, "", "delivery-1"),
    "empty delivery": lambda h, b: (b, h.signed(b, delivery=""), ""),
    "another hook's key": lambda h, b: (b, h.signed(b, secret=OTHER), "delivery-1"),
    "empty key": lambda h, b: (b, h.signed(b, secret=b""), "delivery-1"),
    "key of nobody": lambda h, b: (
        b,
        h.signed(b, secret=b"no hook has this secret, and it is never compared to anything"),
        "delivery-1",
    ),
    "another body": lambda h, b: (b.replace(b"page", b"paGe"), h.signed(b), "delivery-1"),
    "a space more": lambda h, b: (b + b" ", h.signed(b), "delivery-1"),
    "a byte less": lambda h, b: (b[:-1], h.signed(b), "delivery-1"),
    "empty body": lambda h, b: (b"", h.signed(b), "delivery-1"),
    "other delivery": lambda h, b: (b, h.signed(b), "delivery-2"),
    "old by a second": lambda h, b: (b, h.signed(b, late=-301), "delivery-1"),
    "old by a day": lambda h, b: (b, h.signed(b, late=-86_400), "delivery-1"),
    "from the future": lambda h, b: (b, h.signed(b, late=301), "delivery-1"),
    "from 1970": lambda h, b: (b, h.signed(b, late=-h.now), "delivery-1"),
    "far future": lambda h, b: (b, signed_at(999_999_999_999, b), "delivery-1"),
    "other time": lambda h, b: (b, later(h.signed(b), 1), "delivery-1"),
    "time with zeros": lambda h, b: (b, h.signed(b).replace("t=", "t=0"), "delivery-1"),
    "negative time": lambda h, b: (b, h.signed(b).replace("t=", "t=-"), "delivery-1"),
    "time with a sign": lambda h, b: (b, h.signed(b).replace("t=", "t=+"), "delivery-1"),
    "time in hexadecimal": lambda h, b: (b, h.signed(b).replace("t=", "t=0x"), "delivery-1"),
    "time with a point": lambda h, b: (b, h.signed(b).replace(",", ".0,"), "delivery-1"),
    "time in other digits": lambda h, b: (b, other_digits(h.signed(b)), "delivery-1"),
    "no time": lambda h, b: (b, h.signed(b).partition(",")[2], "delivery-1"),
    "no version": lambda h, b: (b, h.signed(b).replace("v1=", ""), "delivery-1"),
    "old version": lambda h, b: (b, h.signed(b).replace("v1=", "v0="), "delivery-1"),
    "other order": lambda h, b: (b, turned(h.signed(b)), "delivery-1"),
    "capitals": lambda h, b: (b, h.signed(b).upper().replace("T=", "t="), "delivery-1"),
    "hash in capitals": lambda h, b: (b, hash_in_capitals(h.signed(b)), "delivery-1"),
    "cut off hash": lambda h, b: (b, h.signed(b)[:-1], "delivery-1"),
    "longer hash": lambda h, b: (b, h.signed(b) + "0", "delivery-1"),
    "empty hash": lambda h, b: (b, f"t={h.now},v1=", "delivery-1"),
    "zeros": lambda h, b: (b, f"t={h.now},v1={'0' * 64}", "delivery-1"),
    "spaces": lambda h, b: (b, h.signed(b).replace(",", ", "), "delivery-1"),
    "a part more": lambda h, b: (b, h.signed(b) + ",x=1", "delivery-1"),
    "two times": lambda h, b: (b, f"t={h.now}," + h.signed(b), "delivery-1"),
    "five hashes": lambda h, b: (b, h.signed(b) + f",v1={'0' * 64}" * 4, "delivery-1"),
    "two signatures": lambda h, b: (b, [h.signed(b), h.signed(b)], "delivery-1"),
    "a wrong one first": lambda h, b: (b, [f"t=1,v1={'0' * 64}", h.signed(b)], "delivery-1"),
    "joined headers": lambda h, b: (b, f"{h.signed(b)}, {h.signed(b)}", "delivery-1"),
    "two deliveries": lambda h, b: (b, h.signed(b), ["delivery-1", "delivery-2"]),
    "delivery with a slash": lambda h, b: (b, h.signed(b, delivery="../../x"), "../../x"),
    "delivery with a space": lambda h, b: (b, h.signed(b, delivery="a b c d e"), "a b c d e"),
    "short delivery": lambda h, b: (b, h.signed(b, delivery="1"), "1"),
    "long delivery": lambda h, b: (b, h.signed(b, delivery="1" * 129), "1" * 129),
    "by SHA-1": lambda h, b: (b, by_another_hash(h.now, b, "sha1"), "delivery-1"),
    "by SHA-512": lambda h, b: (b, by_another_hash(h.now, b, "sha512"), "delivery-1"),
    "by hash without a key": lambda h, b: (
        b,
        f"t={h.now},v1={sha256(SECRET + b).hexdigest()}",
        "delivery-1",
    ),
    "over the body alone": lambda h, b: (
        b,
        f"t={h.now},v1={hmac.new(SECRET, b, sha256).hexdigest()}",
        "delivery-1",
    ),
}


@pytest.mark.parametrize("case", NOT_SIGNED)
async def test_what_is_not_signed_is_refused_and_changes_nothing(hook: Hook, case: str) -> None:
    """With one and the same answer, which doesn't say what was wrong."""
    before = hook.stored()
    body, signature, delivery = NOT_SIGNED[case](hook, a_body())

    answer = await hook.send(body, signature, delivery)

    assert (answer.status_code, answer.json()["code"]) == (401, "not_allowed")
    assert answer.json()["detail"] == (
        "the message isn't signed by this hook's secret, or wasn't sent now"
    )
    assert hook.stored() == before


def test_the_corpus_is_as_large_as_it_is_said_to_be() -> None:
    """With those below, which have other answers."""
    assert len(NOT_SIGNED) >= 50


@pytest.mark.parametrize("name", ["nothing", "GRAFANA", "..", "%2e%2e%2fserver.json", "a" * 64])
async def test_a_hook_without_a_secret_takes_nothing(hook: Hook, name: str) -> None:
    """Not one that isn't there, not one of another spelling, and no file elsewhere."""
    body = a_body()

    answer = await hook.send(body, hook.signed(body), hook=name)

    assert answer.status_code in (401, 404)


@pytest.mark.parametrize(
    "broken", [lambda path: path.chmod(0o644), lambda path: path.write_bytes(b"short")]
)
async def test_a_secret_that_protects_nothing_counts_as_none(
    hook: Hook, broken: Callable[[Path], object]
) -> None:
    """Readable by others, or too short to be one."""
    broken(hook.folder / "grafana")
    body = a_body()

    answer = await hook.send(body, hook.signed(body, secret=b"short"))
    known = await hook.send(body, hook.signed(body))

    assert answer.status_code == known.status_code == 401


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", b"{}", b'{"severity":"page"}', b"[" * 10_000],
    ids=range(8),
)
async def test_a_signed_message_that_says_nothing_is_invalid_and_may_be_sent_again(
    hook: Hook, body: bytes
) -> None:
    """What wasn't done isn't remembered as done."""
    before = hook.stored()

    first = await hook.send(body, hook.signed(body))
    again = await hook.send(body, hook.signed(body))

    assert first.status_code == again.status_code == 422
    assert hook.stored() == before


async def test_a_huge_message_is_refused_before_it_is_hashed(hook: Hook) -> None:
    """By its size alone."""
    body = b"x" * (MAX_BODY_BYTES + 1)

    assert (await hook.send(body, hook.signed(body))).status_code == 413


async def test_a_hook_may_do_only_what_it_was_granted(hook: Hook) -> None:
    """A secret says who sends; a grant says what they may. Nobody granted the other one anything."""
    body = a_body()
    signature = hook.signed(body, secret=OTHER)

    answer = await hook.send(body, signature, hook="other")

    assert answer.status_code in (403, 404)
    assert hook.stored() == 0


async def test_a_secret_is_exchanged_without_a_gap(hook: Hook) -> None:
    """Both count while both are in the file, and the sender may sign by both."""
    (hook.folder / "grafana").write_bytes(OTHER + b"\n" + SECRET + b"\n")
    bodies = [a_body(fingerprint=f"f-{n}") for n in range(3)]

    old = await hook.send(bodies[0], hook.signed(bodies[0]))
    new = await hook.send(
        bodies[1], hook.signed(bodies[1], secret=OTHER, delivery="delivery-2"), "delivery-2"
    )
    theirs = hook.signed(bodies[2], secret=b"x" * 40, delivery="delivery-3").partition(",")[2]
    both = hook.signed(bodies[2], delivery="delivery-3") + f",{theirs}"
    signed_twice = await hook.send(bodies[2], both, "delivery-3")

    assert [old.status_code, new.status_code, signed_twice.status_code] == [202, 202, 202]


async def test_deliveries_are_remembered_for_a_week(hook: Hook) -> None:
    """Far longer than the five minutes in which they could come again."""
    body = a_body()
    await hook.send(body, hook.signed(body))

    hook.world.clock.advance(timedelta(days=7))
    kept = forget_deliveries(hook.world.outside)
    hook.world.clock.advance(timedelta(seconds=1))
    gone = forget_deliveries(hook.world.outside)

    assert (kept, gone) == (0, 1)


@pytest.mark.parametrize("late", [-300, 300])
async def test_the_window_includes_its_ends(hook: Hook, late: int) -> None:
    """Clocks differ; five minutes is what is promised."""
    body = a_body()

    assert (await hook.send(body, hook.signed(body, late=late))).status_code == 202


def signed_at(sent_at: int, body: bytes) -> str:
    return signature_of(SECRET, sent_at=sent_at, delivery="delivery-1", body=body)


def later(signature: str, seconds: int) -> str:
    time, _, rest = signature.removeprefix("t=").partition(",")
    return f"t={int(time) + seconds},{rest}"


def turned(signature: str) -> str:
    time, _, rest = signature.partition(",")
    return f"{rest},{time}"


def hash_in_capitals(signature: str) -> str:
    head, _, digest = signature.partition("v1=")
    return f"{head}v1={digest.upper()}"


def other_digits(signature: str) -> bytes:
    time, _, rest = signature.removeprefix("t=").partition(",")
    arabic = "".join(chr(0x0660 + int(digit)) for digit in time)
    return f"t={arabic},{rest}".encode()


def by_another_hash(sent_at: int, body: bytes, name: str) -> str:
    digest = hmac.new(SECRET, f"{sent_at}.delivery-1.".encode() + body, name).hexdigest()
    return f"t={sent_at},v1={digest}"
