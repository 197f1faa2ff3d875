"""
Following a rollout: redraws on a terminal, one line per change elsewhere, one JSON document per change
for scripts. Ends when the rollout goes no further by itself.

Following changes nothing: who leaves, or loses the connection, leaves the rollout to go on.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from rich.console import Group
from rich.live import Live
from rich.text import Text

from tidegate.api import words
from tidegate.api.shapes.evidence import Evidence
from tidegate.api.shapes.rollout import Event, Events
from tidegate.cli import exit_codes
from tidegate.cli.asking import get_evidence, get_rollout, rollout_path
from tidegate.cli.client import Client
from tidegate.cli.output import Format, harmless, versioned
from tidegate.cli.session import Session
from tidegate.cli.text.rollout import entry_line, headline, rollout_view, standing_lines
from tidegate.errors import ServerUnreachableError

REDRAW_SECONDS: Final = 1.0
POLL_SECONDS: Final = 5.0
LOST_SECONDS: Final = 60.0
"""How long a server that has gone may take to come back."""
TRY_AGAIN_SECONDS: Final = 0.5
EVENTS_SHOWN: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """When following ends: in a state, or after a time; None for neither."""

    state: str | None
    timeout: timedelta | None


class Watching:
    """Follows one rollout."""

    def __init__(self, session: Session, client: Client, name: str, until: Until) -> None:
        self._session = session
        self._client = client
        self._until = until
        self._rollout = get_rollout(client, name)
        self._evidence: Evidence | None = None
        self._events: list[Event] = []
        self._after = 0
        self._reached = False
        limit = until.timeout
        self._deadline = None if limit is None else time.monotonic() + limit.total_seconds()

    def follow(self) -> int:
        """Follow until the end; return the exit code."""
        printer = self._session.printer
        live = printer.format in (Format.TABLE, Format.WIDE) and printer.out.is_terminal
        try:
            code = self._live() if live else self._lines()
        except KeyboardInterrupt:
            printer.note(
                f"left; rollout {self._rollout.id} goes on."
                f"  Stop it: tidegate halt {self._rollout.id}"
            )
            return exit_codes.STILL_RUNNING
        if code == exit_codes.STILL_RUNNING:
            printer.note(
                f"not waiting any longer; rollout {self._rollout.id} goes on"
                f" ({words.state_words(self._rollout.state)})"
            )
        return code

    # --- on a terminal ---------------------------------------------------------------------------

    def _live(self) -> int:
        printer = self._session.printer
        self._catch_up()
        with Live(console=printer.out, auto_refresh=False) as live:
            while True:
                live.update(self._picture(), refresh=True)
                code = self._ended()
                if code is not None:
                    return code
                self._kept_up(lambda: self._look(REDRAW_SECONDS))

    def _picture(self) -> Group:
        view = rollout_view(
            self._rollout,
            self._evidence,
            wide=self._session.printer.is_wide,
            times=self._session.times,
        )
        log = [entry_line(event, form=self._session.times) for event in self._events]
        keys = f"Ctrl-C leaves, the rollout goes on   stop it: tidegate halt {self._rollout.id}"
        lines = [*view, *(f"  {line}" for line in reversed(log[-EVENTS_SHOWN:]))]
        return Group(*map(harmless, lines), Text(keys, style="dim"))

    # --- elsewhere -------------------------------------------------------------------------------

    def _lines(self) -> int:
        self._catch_up()
        self._tell_start()
        moved = False
        while True:
            code = self._ended()
            # The end may have come after the events were read: what led to it is told before it.
            wait_seconds = POLL_SECONDS if code is None else 0.0
            for event in self._kept_up(partial(self._look, wait_seconds)):
                self._tell(event)
                moved = True
            if code is not None:
                self._tell_end(moved=moved)
                return code

    def _tell_start(self) -> None:
        printer = self._session.printer
        match printer.format:
            case Format.TABLE | Format.WIDE:
                printer.lines([headline(self._rollout)])
            case Format.NAME:
                pass
            case _:
                self._tell_document(None)

    def _tell(self, event: Event) -> None:
        printer = self._session.printer
        match printer.format:
            case Format.TABLE | Format.WIDE:
                printer.lines([entry_line(event, form=self._session.times)])
            case Format.NAME:
                pass
            case _:
                self._tell_document(event)

    def _tell_end(self, *, moved: bool) -> None:
        printer = self._session.printer
        match printer.format:
            case Format.TABLE | Format.WIDE:
                head = [headline(self._rollout)] if moved else []
                lines = standing_lines(self._rollout, times=self._session.times)
                printer.lines([*head, *lines])
            case Format.NAME:
                printer.write(self._rollout.id)
            case _:
                pass

    def _tell_document(self, event: Event | None) -> None:
        """One document a line, whichever of the formats for programs was asked for."""
        document = {
            "event": None if event is None else event.model_dump(mode="json"),
            "rollout": self._rollout.model_dump(mode="json"),
            "evidence": None if self._evidence is None else self._evidence.model_dump(mode="json"),
        }
        self._session.printer.write(json.dumps(versioned(document), ensure_ascii=False))

    # --- both ------------------------------------------------------------------------------------

    def _catch_up(self) -> None:
        """Take note of what has happened before, without waiting."""
        self._look(0.0)

    def _look(self, wait_seconds: float) -> list[Event]:
        """Return what happened, waiting for it; then look at the rollout again."""
        path = rollout_path(self._rollout.id, "events")
        wait = wait_seconds if self._deadline is None else min(wait_seconds, self._left())
        found = self._client.get(path, Events, after=self._after, wait_seconds=f"{wait:.3f}")
        first = self._after == 0
        self._after = found.next
        self._events = [*self._events, *found.events][-EVENTS_SHOWN:]
        self._rollout = get_rollout(self._client, self._rollout.id)
        self._evidence = get_evidence(self._client, self._rollout.id)
        if not first:
            # A state may be left again before anybody looks; its event tells that it was there.
            self._reached |= any(one.state_after == self._until.state for one in found.events)
        return found.events

    def _kept_up(self, look: Callable[[], list[Event]]) -> list[Event]:
        """Look; while the server is gone, wait for it to come back."""
        lost_at: float | None = None
        while True:
            try:
                return look()
            except ServerUnreachableError as exc:
                now = time.monotonic()
                if lost_at is None:
                    lost_at = now
                    self._session.printer.note(f"{exc.message}; trying again, the rollout goes on")
                if now - lost_at > LOST_SECONDS:
                    raise
                if self._deadline is not None and now >= self._deadline:
                    return []
                time.sleep(TRY_AGAIN_SECONDS)

    def _ended(self) -> int | None:
        state = self._until.state
        if state is not None and (self._reached or self._rollout.state == state):
            return exit_codes.DONE
        code = exit_codes.of_rollout(self._rollout)
        if code is not None:
            return code
        if self._deadline is not None and self._left() <= 0:
            return exit_codes.STILL_RUNNING
        return None

    def _left(self) -> float:
        assert self._deadline is not None, "only asked where there is a deadline"
        return max(0.0, self._deadline - time.monotonic())
