"""
What a service's document says of a `process` component, in the driver's own types.

The document was checked when it was read; here it's only taken apart. What is done with it must not
be here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tidegate.domain.quantities import FULL_WEIGHT_BPS, Exposure, Placement
from tidegate.ports.traffic import Endpoint, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    """
    How one component's versions are run.

    Either `package` and `run`, or `command` and `files`. `probe_path` None: a member is ready as soon
    as it listens. With `grows`, the candidate's members grow with its weight (canary); else all are
    there from the start (blue-green).
    """

    package: str | None
    run: str | None
    command: tuple[str, ...]
    files: tuple[str, ...]
    env: Mapping[str, str]
    members: int
    grows: bool
    probe_path: str | None
    drain_seconds: float

    def candidate_members(self, exposure: Exposure) -> int:
        """Return how many members the candidate needs to carry *exposure*; never none."""
        if not self.grows:
            return self.members
        return max(1, -(-self.members * exposure.weight_bps // FULL_WEIGHT_BPS))


def read_settings(settings_json: str) -> ProcessSettings:
    """Return the settings in the component's part of a resolved document."""
    written = json.loads(settings_json)
    probe = written.get("probe")
    return ProcessSettings(
        package=written.get("package"),
        run=written.get("run"),
        command=tuple(written.get("command") or ()),
        files=tuple(written.get("files") or ()),
        env=written.get("env") or {},
        members=written["members"],
        grows=written["pools"] == "canary",
        probe_path=probe["http"] if probe else None,
        drain_seconds=written["drain_seconds"],
    )


def read_route(placement: Placement, settings_json: str, target_settings_json: str) -> Route:
    """Return the way in to *placement*; a target's own `listen` comes before the component's."""
    traffic = json.loads(settings_json)["traffic"]
    listen = json.loads(target_settings_json).get("listen") or traffic["listen"]
    host, _, port = listen.rpartition(":")
    return Route(
        service=placement.service,
        target=placement.target,
        listen=Endpoint(host=host.strip("[]"), port=int(port)),
        sticky=traffic["sticky"],
        internal=traffic.get("internal"),
        target_settings_json=target_settings_json,
    )
