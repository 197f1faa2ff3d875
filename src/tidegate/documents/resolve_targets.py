"""
The targets of a file, resolved: their rings, and what drivers receive of them.

A bare name has no settings of its own (`{}`), which drivers read as a place that Tidegate manages.
"""

from pathlib import Path
from typing import Any, Final

from tidegate.documents.canonical import canonical_json
from tidegate.documents.components import FileSettings, ProcessSettings, Settings
from tidegate.documents.notation import shown
from tidegate.documents.plans import MIXED_RING
from tidegate.documents.problems import Complaint
from tidegate.documents.written import ServiceFile, Target, TargetSettings
from tidegate.domain.plan.model import TargetSpec
from tidegate.domain.quantities import ComponentName, Environment, TargetName

DEFAULT_RINGS: Final = ("first", "rest")
"""The ring of the first target that names none, and of all others that name none."""


def resolve_targets(
    file: ServiceFile,
    base_dir: Path,
    settings: dict[ComponentName, Settings],
    complaints: list[Complaint],
) -> tuple[TargetSpec, ...]:
    """Return the targets in the order of the file."""
    written = [Target(name=entry) if isinstance(entry, str) else entry for entry in file.targets]
    default_rings = iter(DEFAULT_RINGS)
    ring = ""
    specs: list[TargetSpec] = []
    for index, target in enumerate(written):
        if any(target.name == other.name for other in specs):
            complaints.append(
                Complaint(
                    path=("targets", index),
                    what=f"the target {target.name} stands twice",
                    fix="keep one of the two",
                )
            )
        if target.ring is None:
            ring = next(default_rings, ring)
        if MIXED_RING in (target.name, target.ring):
            complaints.append(
                Complaint(
                    path=("targets", index),
                    what=f"`{MIXED_RING}` names every target together",
                    fix="choose another name",
                )
            )
        specs.append(
            TargetSpec(
                name=TargetName(target.name),
                ring=target.ring or ring,
                environment=Environment(target.environment),
                settings_json=canonical_json(_target_settings(target, base_dir)),
            )
        )
    _shared_places(written, settings, complaints)
    return tuple(specs)


def _target_settings(target: Target, base_dir: Path) -> dict[str, Any]:
    """Return what drivers receive of *target*: only what is written, so a bare name is `{}`."""
    resolved: dict[str, Any] = {}
    if target.envoy is not None:
        resolved["envoy"] = {
            "admin": target.envoy.admin,
            "rds_dir": str(base_dir / target.envoy.rds_dir),
        }
    own = target.settings or TargetSettings()
    if own.listen is not None:
        resolved["listen"] = own.listen
    if own.dir is not None:
        resolved["dir"] = str(base_dir / own.dir)
    if own.members is not None:
        resolved["members"] = own.members
    if own.internal is not None:
        resolved["internal"] = own.internal
    if target.region is not None:
        resolved["region"] = target.region
    if target.timezone is not None:
        resolved["timezone"] = target.timezone
    return resolved


def _shared_places(
    targets: list[Target], settings: dict[ComponentName, Settings], complaints: list[Complaint]
) -> None:
    """Complain of targets that would listen, or write, at the same place on this machine."""
    for component, one in settings.items():
        taken: dict[str, str] = {}
        for index, target in enumerate(targets):
            own = target.settings or TargetSettings()
            if isinstance(one, ProcessSettings):
                key, place = "listen", own.listen or one.traffic.listen
            else:
                assert isinstance(one, FileSettings)
                key, place = "dir", own.dir or one.dir
            if place in taken and target.envoy is None:
                complaints.append(
                    Complaint(
                        path=("targets", index),
                        what=f"{component} has the same {key} {shown(place)} on {taken[place]} and "
                        f"{target.name}",
                        fix=f"give the target its own: {{name: {target.name}, settings: "
                        f"{{{key}: …}}}}",
                    )
                )
            taken.setdefault(place, target.name)
