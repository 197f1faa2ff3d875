"""
Which tests run in one process, one after another.

They share what is dear to start (a lab, a browser, a server under a scene), or measure what a neighbour on
the same processor would disturb. It is told by folder and file, since a mark isn't known to whoever
distributes the tests.
"""

from pathlib import PurePath
from typing import Final

from xdist.scheduler import LoadScopeScheduling

_OF_FILES: Final = {
    "tests/e2e/test_gates.py": "governance",
    "tests/e2e/test_governance.py": "governance",
    "tests/contract/test_signals_prometheus.py": "prometheus",
}
_OF_FOLDERS: Final = {"tests/e2e": "e2e", "tests/browser": "browser"}


def group_of(nodeid: str) -> str | None:
    """Return the name of the group that the test of this id belongs to, if it belongs to one."""
    file = nodeid.partition("::")[0]
    folder = str(PurePath(file).parent)
    return _OF_FILES.get(file) or _OF_FOLDERS.get(folder)


class GroupedByPath(LoadScopeScheduling):
    """Gives a process a whole group, and of everything else a test at a time."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid) or nodeid
