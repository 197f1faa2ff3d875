"""Logins and sessions as they are shown."""

from tidegate.api.shapes import login as shapes
from tidegate.domain.access.sessions import Session
from tidegate.usecases.login import LoggedIn


def show_session(session: Session) -> shapes.Session:
    """Return *session* as it is shown."""
    return shapes.Session(
        id=session.id,
        name=session.identity.name,
        person=session.identity.person,
        organisation=session.identity.organisation,
        groups=[*session.groups],
        issuer=session.issuer,
        authenticated_at=session.authenticated_at,
        began_at=session.began_at,
        used_at=session.used_at,
        ends_at=session.ends_at,
        ended_at=session.ended_at,
        ended_by=session.ended_by,
    )


def show_login(done: LoggedIn) -> shapes.LoginFinished:
    """Return a finished login with its secret."""
    return shapes.LoginFinished(session=show_session(done.session), secret=done.secret)
