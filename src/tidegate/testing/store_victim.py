"""
A program that writes steps to a store until it is killed, for tests of what a killed server leaves.

Started with the address of a store that holds rollout `r-1`, it reads one line per victim from
standard input: the number of statements after which the victim kills itself, or 0 when it is to be
killed from outside. It answers with the victim's process id, then with a line for each step that was
committed (its revision), then with `killed`. Victims are forks, so that a test can afford many.

Each step saves the rollout, appends a ledger entry that names the revision, adds a message to the
outbox and issues a generation: in one transaction, or the test finds out.
"""

import os
import signal
import sys
from typing import Any

from sqlalchemy import event

from tidegate.domain.quantities import RolloutId, ServiceName, TargetName
from tidegate.ports.store import NewEntry
from tidegate.store.engines import engine_for
from tidegate.store.sql import SqlStore, SqlTransaction
from tidegate.testing.builders import START

VICTIM: RolloutId = RolloutId("r-1")


def main(url: str) -> None:
    """Fork a victim for each line of standard input, and wait for its end."""
    _warm_up(url)
    for line in sys.stdin:
        process_id = os.fork()
        if process_id == 0:
            _write_until_killed(url, int(line))
        _say(process_id)
        _, status = os.waitpid(process_id, 0)
        assert os.WIFSIGNALED(status), f"the victim wasn't killed but ended with {status}"
        _say("killed")


def step(transaction: SqlTransaction) -> int:
    """Write one step; return the revision that the rollout then has."""
    saved = transaction.save_rollout(transaction.rollout(VICTIM))
    entry = NewEntry(
        at=START,
        rollout_id=saved.id,
        service=saved.service,
        actor="victim",
        kind="decision",
        rule="test",
        because=f"{saved.revision}",
        state_before="waiting",
        state_after="waiting",
    )
    transaction.append(entry)
    transaction.enqueue(
        at=START, type="stepped", rollout_id=saved.id, payload_json=f"{saved.revision}"
    )
    transaction.issue_generation(ServiceName("shop"), TargetName("eu"))
    return saved.revision


def _warm_up(url: str) -> None:
    """Import and prepare here, once, what every victim would else do anew."""
    store = SqlStore(engine_for(url))
    with store.begin(read_only=True) as transaction:
        transaction.rollout(VICTIM)
    store.close()


def _write_until_killed(url: str, statements: int) -> None:
    # The engine is made after the fork: connections can't be shared with the parent.
    engine = engine_for(url)
    store = SqlStore(engine)
    if statements:
        left = [statements]

        def count(*_details: Any) -> None:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(engine, "after_cursor_execute", count)
    while True:
        with store.begin() as transaction:
            revision = step(transaction)
        _say(revision)


def _say(word: object) -> None:
    os.write(sys.stdout.fileno(), f"{word}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1])
