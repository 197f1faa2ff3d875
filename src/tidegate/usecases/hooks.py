"""
Signed messages of other systems: who sent this, is it whole, is it new?

Signed is `T.DELIVERY.BODY` with HMAC-SHA256 (RFC 2104), where `T` is when it was sent in seconds since 1970,
`DELIVERY` the sender's own name for the message, and `BODY` the bytes as they came. The delivery is
signed too: otherwise a message could be sent again under another name. Checked before the body is read
as anything: an unknown sender can make this server do no more than one hash.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.access.permissions import Permission
from tidegate.errors import NotAllowedError, RefusedError
from tidegate.usecases.outside import Outside
from tidegate.usecases.shelves import Shelf

WINDOW: Final = timedelta(minutes=5)
REMEMBERED_FOR: Final = timedelta(days=7)
SIGNATURES_AT_MOST: Final = 4

_SIGNATURE: Final = re.compile(r"t=([0-9]{1,12})((?:,v1=[0-9a-f]{64}){1,4})", re.ASCII)
_DELIVERY: Final = re.compile(r"[A-Za-z0-9._:-]{8,128}", re.ASCII)
_NOBODY: Final = b"no hook has this secret, and it is never compared to anything that is sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message that was taken. `id` is the hook's name and the sender's name for the message."""

    id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What came with a message: every value of both headers, and the body's bytes."""

    signatures: Sequence[str]
    deliveries: Sequence[str]
    body: bytes


HOOK_DELIVERIES: Final = Shelf(
    kind="hook_delivery",
    type=Delivery,
    id_of=lambda delivery: delivery.id,
    at=lambda delivery: delivery.at,
    is_open=lambda _: False,
    service_of=lambda _: None,
)


def caller_of_hook(outside: Outside, name: str, signed: Signed) -> Caller:
    """
    Return who sends *signed* through the hook *name*: a program that may raise alarms and nothing else.

    Raises:
        NotAllowedError: it isn't signed by the hook's secret, or too early or late. It isn't told which.
        RefusedError: it was taken already.
        StoreError: it can't be found out whether it was.
    """
    sent_at, delivery = _checked(outside, name, signed)
    now = outside.clock.now()
    if abs(now - sent_at) > WINDOW:
        raise _not_signed()
    with outside.store.begin(read_only=True) as transaction:
        if HOOK_DELIVERIES.get(transaction, f"{name}/{delivery}") is not None:
            raise RefusedError(
                f"delivery {delivery} of hook {name} was taken already",
                hint="nothing is to be done; give each new message a name of its own",
            )
    return Caller(
        name=f"hook-{name}",
        kind=CallerKind.PROGRAM,
        person=None,
        is_verified=True,
        granted=frozenset({Permission.ALARM, Permission.READ}),
    )


def remember_delivery(outside: Outside, name: str, signed: Signed) -> None:
    """Remember that a message was taken, once what it says has been done. Raises StoreError."""
    delivery = Delivery(id=f"{name}/{signed.deliveries[0]}", at=outside.clock.now())
    with outside.store.begin() as transaction:
        HOOK_DELIVERIES.put(transaction, delivery)


def forget_deliveries(outside: Outside) -> int:
    """Forget the messages that can't be sent again any more; return how many. Raises StoreError."""
    with outside.store.begin() as transaction:
        return transaction.forget_filed(
            HOOK_DELIVERIES.kind, before=outside.clock.now() - REMEMBERED_FOR
        )


def signature_of(secret: bytes, *, sent_at: int, delivery: str, body: bytes) -> str:
    """Return what a sender puts into `Tidegate-Signature`."""
    return f"t={sent_at},v1={_digest(secret, sent_at, delivery, body)}"


def _checked(outside: Outside, name: str, signed: Signed) -> tuple[datetime, str]:
    match = _SIGNATURE.fullmatch(signed.signatures[0]) if len(signed.signatures) == 1 else None
    delivery = signed.deliveries[0] if len(signed.deliveries) == 1 else ""
    if match is None or not _DELIVERY.fullmatch(delivery):
        raise _not_signed()
    sent_at = int(match[1])
    if str(sent_at) != match[1]:
        # One spelling: a second one would be another text with the same meaning.
        raise _not_signed()
    secrets = [] if outside.secrets is None else list(outside.secrets.secrets(name))
    given = [one.removeprefix("v1=") for one in match[2].split(",") if one]
    # A hook that isn't there takes as long as one that is.
    wanted = [_digest(one, sent_at, delivery, signed.body) for one in secrets or [_NOBODY]]
    # All of them, each to its end: how long it takes says nothing.
    equal = [hmac.compare_digest(one, other) for one in given for other in wanted]
    if not secrets or not any(equal):
        raise _not_signed()
    try:
        return datetime.fromtimestamp(sent_at, UTC), delivery
    except (OverflowError, ValueError) as exc:
        raise _not_signed() from exc


def _digest(secret: bytes, sent_at: int, delivery: str, body: bytes) -> str:
    return hmac.new(secret, f"{sent_at}.{delivery}.".encode() + body, sha256).hexdigest()


def _not_signed() -> NotAllowedError:
    return NotAllowedError(
        "the message isn't signed by this hook's secret, or wasn't sent now",
        hint="sign it anew: Tidegate-Signature is t=SECONDS,v1=HMAC over SECONDS.DELIVERY.BODY",
    )
