"""
What tests of several folders share: real servers that are started once for all of them, and which tests
run in one process.
"""

import signal
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from one_after_another import GroupedByPath, group_of
from sqlalchemy import create_engine, make_url

from tidegate.testing.postgres import running_postgres

# Machines are noisy: how long an example takes is measured in benchmarks/, never asserted.
settings.register_profile("tidegate", deadline=None)
settings.load_profile("tidegate")

# What a shell starts in the background ignores Ctrl-C and Ctrl-\, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

_database_numbers = count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Return the address of a real PostgreSQL, one for all tests of a process."""
    with running_postgres() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """Return the address of an empty database of its own for one test."""
    name = f"test_{next(_database_numbers)}"
    server = make_url(postgres_server).set(drivername="postgresql+psycopg")
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return make_url(postgres_server).set(database=name).render_as_string(hide_password=False)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupedByPath:
    """Let tests that must not run beside each other run in one process."""
    return GroupedByPath(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the groups, which last longest, so that no process waits for one at the end."""
    items.sort(key=lambda item: group_of(item.nodeid) is None)
