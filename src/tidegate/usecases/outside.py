"""
What the use cases are given of the world: ports, by name. Made once by the composition root.

No use case looks anything up elsewhere, so a test or a simulation gives them another world and runs
the same code.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tidegate.domain.access.model import DEFAULT_ORGANISATION
from tidegate.domain.access.proof import IdentityMode
from tidegate.domain.quantities import Exposure, Placement, RolloutId, ServiceName, Version
from tidegate.domain.rollout.model import Rollout
from tidegate.errors import NotFoundError, RefusedError
from tidegate.ports.clock import Clock
from tidegate.ports.component import Assignment, ComponentDriver
from tidegate.ports.contents import VersionContents
from tidegate.ports.gate import GateDriver
from tidegate.ports.identity import IdentityProvider
from tidegate.ports.runner import Pulse
from tidegate.ports.secrets import Secrets
from tidegate.ports.signals import Audience, MetricsIntake, SignalSource
from tidegate.ports.signer import HeadSigner
from tidegate.ports.store import Store
from tidegate.ports.traffic_history import TrafficHistory
from tidegate.ports.witness import Witness
from tidegate.usecases.right_of_way import RightOfWay


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """
    The ports in use.

    `components` is by driver name, `signals` by the scheme of a source (`envoy`, `prometheus`).
    `wake` hints the runner that a rollout should be stepped. `lab_allowed` is a setting of the
    server: no author of a document can mark production's rules away by calling a target a lab.
    `audience` counts people where a proxy can tell them apart. `histories`, by the scheme of a source,
    know past traffic, for forecasts. `intake` keeps metrics that are sent here. `signer` holds the key
    of the ledger, `witnesses` keep its heads elsewhere. `gates` is by the kind of gate. `identity`
    vouches for people, who then belong to `login_organisation`; `identity_mode` is what names are worth
    here. `secrets` are those of hooks. `contents`, by driver name, tell what versions say. `pulse` says
    how the runner of this process is, None where it has none. `right_of_way` says who waits for whom in
    this process.
    """

    store: Store
    clock: Clock
    components: Mapping[str, ComponentDriver]
    signals: Mapping[str, SignalSource]
    wake: Callable[[RolloutId], None]
    lab_allowed: bool
    audience: Audience | None = None
    intake: MetricsIntake | None = None
    histories: Mapping[str, TrafficHistory] = field(default_factory=dict)
    signer: HeadSigner | None = None
    gates: Mapping[str, GateDriver] = field(default_factory=dict)
    witnesses: tuple[Witness, ...] = ()
    identity: IdentityProvider | None = None
    login_organisation: str = DEFAULT_ORGANISATION
    secrets: Secrets | None = None
    contents: Mapping[str, VersionContents] = field(default_factory=dict)
    identity_mode: IdentityMode = IdentityMode.CLAIMED
    pulse: Callable[[], Pulse | None] = lambda: None
    right_of_way: RightOfWay = field(default_factory=RightOfWay)

    def component(self, rollout: Rollout, placement: Placement) -> ComponentDriver:
        """Return the driver that moves *placement*. Raises RefusedError when it isn't there."""
        spec = next(c for c in rollout.components if c.name == placement.component)
        return self.driver(spec.driver)

    def driver(self, name: str) -> ComponentDriver:
        """Return the component driver called *name*. Raises RefusedError when it isn't there."""
        try:
            return self.components[name]
        except KeyError:
            raise RefusedError(
                f"this server has no component driver {name!r}",
                hint=f"it has: {', '.join(sorted(self.components))}",
            ) from None

    def source(self, source: str) -> SignalSource:
        """Return the signals driver for *source*. Raises RefusedError when there is none."""
        scheme = source.split("://", 1)[0]
        try:
            return self.signals[scheme]
        except KeyError:
            raise RefusedError(
                f"this server can't read signals from {scheme!r}",
                hint=f"it can read from: {', '.join(sorted(self.signals))}",
            ) from None


def assignment(
    rollout: Rollout,
    placement: Placement,
    exposure: Exposure,
    *,
    baseline: Version | None = None,
) -> Assignment:
    """Return what *placement* shall serve under *rollout* with *exposure*, at its latest generation."""
    candidate = rollout.change.version_of(placement.component)
    assert candidate is not None, f"{placement} is not part of the change"
    component = next(c for c in rollout.components if c.name == placement.component)
    target = next(t for t in rollout.targets if t.name == placement.target)
    return Assignment(
        placement=placement,
        candidate=candidate,
        baseline=baseline or rollout.baseline_of(placement),
        exposure=exposure,
        generation=rollout.generation_on(placement.target),
        environment=target.environment,
        settings_json=component.settings_json,
        target_settings_json=target.settings_json,
    )


def unknown_service(name: ServiceName) -> NotFoundError:
    """Return the error for a service that the store doesn't know."""
    return NotFoundError(
        f"there is no service {name!r}",
        hint="run `tidegate start` beside its tidegate.yaml, or look at `tidegate status`",
    )
