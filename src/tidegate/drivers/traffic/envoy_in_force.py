"""
What is in force for a route: the newer of what Envoy follows and what its file says.

The file is newer between a write and Envoy's taking it, or when Envoy hangs. Envoy is newer when
somebody damaged the file.
"""

from typing import Final

from tidegate.domain.quantities import ServiceName
from tidegate.drivers.envoy.admin import EnvoyAdmin, EnvoyAdminError, open_admin
from tidegate.drivers.envoy.layout import Proxy
from tidegate.drivers.traffic.envoy_files import EnvoyFiles, GarbledFileError
from tidegate.drivers.traffic.envoy_reading import followed_routes
from tidegate.drivers.traffic.envoy_state import ForeignRoutesError, read_state
from tidegate.drivers.traffic.fencing import RouteState

_WITHDRAW_ANSWER_WITHIN_S: Final = 0.3


def written(proxy: Proxy, files: EnvoyFiles, service: ServiceName) -> tuple[str, RouteState, str]:
    """
    Return the version and the state of *service*'s file, and what is wrong with it (or nothing).

    When something is, the state is that of the last file that Envoy took.
    """
    name = proxy.routes_file(service)
    problem = ""
    for good in (False, True):
        try:
            version, resources = files.read(name, good=good)
            state = read_state(service, resources[0]) if resources else RouteState()
        except (GarbledFileError, ForeignRoutesError) as exc:
            problem = str(exc)
        else:
            return version, state, problem
    return "", RouteState(), problem


def good_state(files: EnvoyFiles, name: str, service: ServiceName) -> RouteState:
    """Return the state of the last file called *name* that was good; an empty one if it's garbled."""
    try:
        _, resources = files.read(name, good=True)
        return read_state(service, resources[0]) if resources else RouteState()
    except (GarbledFileError, ForeignRoutesError):
        return RouteState()


async def in_force(
    proxy: Proxy, files: EnvoyFiles, admin: EnvoyAdmin, service: ServiceName
) -> RouteState:
    """Return the newer of what Envoy follows and what its file says, in doubt the file's."""
    _, from_file, problem = written(proxy, files, service)
    try:
        followed = await followed_routes(admin, service)
    except ForeignRoutesError:
        if problem or from_file.split is None:
            raise
        return from_file
    if followed is None or _newest(followed.state) <= _newest(from_file):
        return from_file
    return followed.state


async def in_force_if_answering(
    proxy: Proxy, files: EnvoyFiles, service: ServiceName
) -> RouteState:
    """Return what is in force as far as it can be told now; a withdrawal doesn't wait for more."""
    try:
        async with open_admin(proxy.admin, answer_within_s=_WITHDRAW_ANSWER_WITHIN_S) as admin:
            return await in_force(proxy, files, admin, service)
    except EnvoyAdminError:
        _, from_file, problem = written(proxy, files, service)
        if problem and from_file.split is None:
            # Nothing says who the baseline is: a guess could send everyone to nowhere.
            raise
        return from_file


def _newest(state: RouteState) -> int:
    generation = state.split.generation if state.split is not None else 0
    return max(generation, state.stopped_at_generation or 0)
