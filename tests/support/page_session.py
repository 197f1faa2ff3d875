"""The cookie of somebody who is logged in, for tests of pages: filed as a login files it, without one."""

from typing import Final

from tidegate.api.pages.cookies import SESSION_COOKIE
from tidegate.domain.access.model import Caller, CallerKind
from tidegate.domain.access.sessions import SESSION_PREFIX, Session
from tidegate.domain.access.tokens import Identity
from tidegate.testing.memory_world import MemoryWorld
from tidegate.usecases.tokens import SESSIONS, digest_of, id_of

ISSUER: Final = "https://provider.example"


def session_cookie(world: MemoryWorld, caller: Caller) -> dict[str, str]:
    """Log *caller* in; return the header that their browser sends."""
    secret = f"{SESSION_PREFIX}of-{caller.name}"
    now = world.clock.now()
    session = Session(
        id=id_of(digest_of(secret)),
        digest=digest_of(secret),
        identity=Identity(
            name=caller.name,
            kind=CallerKind.PERSON,
            person=caller.person or caller.name,
            organisation=caller.organisation,
            since=now,
        ),
        issuer=ISSUER,
        groups=(),
        authenticated_at=now,
        began_at=now,
        used_at=now,
    )
    with world.store.begin() as transaction:
        SESSIONS.put(transaction, session)
    return {"cookie": f"{SESSION_COOKIE}={secret}"}
