"""
Opens a store by its address, ready to use.

The only module of the store that the composition root needs. How databases differ is in `engines`.
"""

from tidegate.errors import TidegateError
from tidegate.store.engines import engine_for
from tidegate.store.schema import migrate
from tidegate.store.sql import SqlStore


def open_store(url: str) -> SqlStore:
    """
    Return the store at *url*, brought to the newest schema.

    Args:
        url: `sqlite:////path/to/file` (made when it's missing, readable by its owner only) or
            `postgresql://user@host/database`.

    Raises:
        InvalidDocumentError: *url* can't be used as written.
        StoreError: the database can't be reached, or a newer version of Tidegate has migrated it.
    """
    engine = engine_for(url)
    try:
        migrate(engine)
    except TidegateError:
        engine.dispose()
        raise
    return SqlStore(engine)
