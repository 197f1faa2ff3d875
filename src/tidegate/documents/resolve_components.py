"""
The components of a file, resolved and in the order in which they are moved.

Rule: a component's own keys are checked by `components`; what components demand of one another is
checked here: exactly one form of writing them, no circle, one way in, no secrets.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tidegate.documents.canonical import canonical_json
from tidegate.documents.components import ProcessSettings, Settings, resolved_settings
from tidegate.documents.notation import NotationError, shown
from tidegate.documents.plans import in_after_order
from tidegate.documents.problems import Complaint, KeyPath
from tidegate.documents.unsupported import not_yet
from tidegate.documents.written import ServiceFile
from tidegate.domain.plan.model import ComponentSpec
from tidegate.domain.quantities import ComponentName

SHORT_FORM_NAME: Final = "code"
"""The name of the component that is written as `workload:`."""
SECRET_SCHEME: Final = "secret://"  # noqa: S105  # a scheme, not a secret


def resolve_components(
    file: ServiceFile, base_dir: Path, complaints: list[Complaint]
) -> tuple[tuple[ComponentSpec, ...], dict[ComponentName, Settings]]:
    """Return the components in `after` order, and the settings of each."""
    if (file.workload is None) == (file.components is None):
        complaints.append(
            Complaint(
                path=("components",) if file.components is not None else (),
                what="a service has exactly one of `workload` and `components`",
                fix="write `workload:` for one component, `components:` for several",
                on_key=True,
            )
        )
        return (), {}
    if file.components is not None and not file.components:
        complaints.append(
            Complaint(path=("components",), what="there is no component", fix="add one by name")
        )
    written = (
        {SHORT_FORM_NAME: file.workload} if file.workload is not None else file.components or {}
    )
    settings: dict[ComponentName, Settings] = {}
    for name, component in written.items():
        path = ("workload",) if file.workload is not None else ("components", name)
        complaints.extend(_secrets(component.model_dump(), path))
        try:
            settings[ComponentName(name)] = resolved_settings(component, base_dir)
        except NotationError as exc:
            where = (*path, exc.key) if exc.key else path
            complaints.append(Complaint(path=where, what=exc.what, fix=exc.fix, on_key=True))
    after = {
        ComponentName(name): tuple(map(ComponentName, component.after))
        for name, component in written.items()
    }
    order = _order(after, file, complaints)
    _one_way_in(settings, complaints)
    specs = tuple(
        ComponentSpec(
            name=name,
            kind=written[name].kind,
            driver=written[name].driver,
            settings_json=canonical_json(settings[name].model_dump(by_alias=True)),
            after=after[name],
        )
        for name in order
        if name in settings
    )
    return specs, settings


def _order(
    after: dict[ComponentName, tuple[ComponentName, ...]],
    file: ServiceFile,
    complaints: list[Complaint],
) -> tuple[ComponentName, ...]:
    for name, needed in after.items():
        path = ("workload", "after") if file.workload is not None else ("components", name, "after")
        for other in needed:
            if other not in after or other == name:
                complaints.append(
                    Complaint(
                        path=path,
                        what=f"{name} can't come after {shown(other)}",
                        fix=f"name another component of this service: {', '.join(after)}",
                    )
                )
                return ()
    order = in_after_order(after)
    if order is None:
        complaints.append(
            Complaint(
                path=("components",),
                what="the components come after one another in a circle",
                fix="remove one `after`",
            )
        )
    return order or ()


def _one_way_in(settings: dict[ComponentName, Settings], complaints: list[Complaint]) -> None:
    processes = [name for name, one in settings.items() if isinstance(one, ProcessSettings)]
    if len(processes) > 1:
        complaints.append(
            Complaint(
                path=("components", processes[1]),
                what=f"{' and '.join(processes)} both have traffic; a service has one way in",
                fix="make a service of its own for one of them",
                on_key=True,
            )
        )


def _secrets(value: Any, path: KeyPath) -> Iterator[Complaint]:
    if isinstance(value, str) and value.startswith(SECRET_SCHEME):
        yield Complaint(
            path=path,
            what=not_yet(f"`{SECRET_SCHEME}`"),
            fix="let the program read the secret itself; a secret must never be in this file",
        )
    elif isinstance(value, dict):
        for key, member in value.items():
            yield from _secrets(member, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _secrets(item, (*path, index))
