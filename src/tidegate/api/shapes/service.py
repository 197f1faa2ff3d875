"""A service as the server knows it."""

from pydantic import Field

from tidegate.api.shapes.base import Instant, Shape
from tidegate.api.shapes.rollout import Version


class Service(Shape):
    """A service and what goes on with it."""

    name: str
    owner: str
    tier: int | None
    components: list[str]
    targets: list[str]
    digest: str
    updated_at: Instant
    active_rollout: str | None
    latest_rollout: str | None
    problem: str | None = Field(
        default=None, description="Why its stored document can't be read, else null."
    )


class Services(Shape):
    """All services, by name."""

    services: list[Service]


class Good(Shape):
    """A version that completed its plan and outlived its quarantine."""

    component: str
    target: str
    version: Version
    rollout: str
    since: Instant


class ServiceDetail(Service):
    """A service with its resolved document (values of `env` left out) and its last known good."""

    document: dict[str, object]
    last_known_good: list[Good] = Field(description="The newest of each component and target.")


class ServerVersion(Shape):
    """Which server this is."""

    version: str
    api: str
    lab_allowed: bool
