"""
Consumers of configuration, each with users of its own: for tests that move documents.

A `Fleet` is a folder with a sub-folder per consumer, named by the address of its metrics page. Each
follows its documents with the reference consumer, answers requests (of users that are only counted,
at a steady rate) as the document it serves says, and shows the counts. `error_share` of the document
is the share of its requests that fail; `poison: true` is refused by the consumers themselves.
"""

import random
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from tidegate.drivers.component.file_consumer import FileConsumer

REQUESTS_PER_SECOND: Final = 100.0
TURN_SECONDS: Final = 0.05
STOPS_WITHIN_SECONDS: Final = 10.0


class Consumer:
    """One consumer in a thread of its own, and its metrics page in another."""

    def __init__(self, parent: Path, *, chance: random.Random) -> None:
        self._chance = chance
        self._good = self._bad = 0
        self._began = time.time()
        self._ended = threading.Event()
        self._page = _MetricsServer(self)
        self.folder = parent / f"127.0.0.1:{self._page.server_port}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._follower = FileConsumer(self.folder, check=_refuse_poison)
        self._threads = [
            threading.Thread(target=self._serve_users, name="users"),
            threading.Thread(
                target=self._page.serve_forever, kwargs={"poll_interval": 0.05}, name="metrics"
            ),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def document(self) -> Any:
        """What it serves now; None until it had a document."""
        return self._follower.document

    def restart_following(self) -> None:
        """Forget everything that isn't on disk, as a process that is started again does."""
        self._follower = FileConsumer(self.folder, check=_refuse_poison)

    def page(self) -> str:
        """Return its metrics."""
        return (
            "# TYPE http_requests_total counter\n"
            f'http_requests_total{{code="200"}} {self._good}\n'
            f'http_requests_total{{code="500"}} {self._bad}\n'
            "# TYPE process_start_time_seconds gauge\n"
            f"process_start_time_seconds {self._began:.3f}\n"
        )

    def stop(self) -> None:
        """End both threads and close the page."""
        self._ended.set()
        self._page.shutdown()
        for thread in self._threads:
            thread.join(timeout=STOPS_WITHIN_SECONDS)
            assert not thread.is_alive(), f"{thread.name} of {self.folder.name} didn't end"
        self._page.server_close()

    def _serve_users(self) -> None:
        answered, began = 0, time.monotonic()
        while not self._ended.wait(TURN_SECONDS):
            self._follower.poll()
            due = int((time.monotonic() - began) * REQUESTS_PER_SECOND)
            share = (self.document or {}).get("error_share", 0.0)
            failed = sum(self._chance.random() < share for _ in range(due - answered))
            self._bad += failed
            self._good += due - answered - failed
            answered = due


class _MetricsServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        super().__init__(("127.0.0.1", 0), _MetricsPage)


class _MetricsPage(BaseHTTPRequestHandler):
    server: _MetricsServer

    def do_GET(self) -> None:
        body = self.server.consumer.page().encode()
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a scrape isn't news."""


@dataclass(slots=True)
class Fleet:
    """Some consumers below one folder."""

    folder: Path
    consumers: list[Consumer] = field(default_factory=list)

    def start(self, count: int) -> None:
        """Start *count* consumers."""
        for number in range(count):
            self.consumers.append(Consumer(self.folder, chance=random.Random(number)))

    def serving(self, key: str, value: object) -> set[str]:
        """Return the consumers whose document says *value* at *key*."""
        return {one.folder.name for one in self.consumers if (one.document or {}).get(key) == value}

    def stop(self) -> None:
        """End all of them."""
        for consumer in self.consumers:
            consumer.stop()


def _refuse_poison(document: Any) -> None:
    if document.get("poison"):
        raise ValueError("the document is poison")
