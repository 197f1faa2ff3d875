"""
A service that is told what to say by a file: one process, with a page and metrics, standard library only
but for `FileConsumer`, which is one file to copy.

    python consumer.py FOLDER        # FOLDER is named by the address it shall listen on: 127.0.0.1:PORT
"""

import json
import signal
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from tidegate.drivers.component.file_consumer import FileConsumer

LOOK_EVERY_SECONDS = 0.2


class Greeter(BaseHTTPRequestHandler):
    """Says what the document says; `/metrics` counts how that went."""

    protocol_version = "HTTP/1.1"
    consumer: FileConsumer
    answers: ClassVar["Counter[int]"] = Counter()

    def do_GET(self) -> None:
        """Answer a user, or whoever reads the metrics."""
        if self.path == "/metrics":
            lines = [
                f'http_requests_total{{code="{code}"}} {count}\n'
                for code, count in sorted(self.answers.items())
            ]
            self._answer(200, "# TYPE http_requests_total counter\n" + "".join(lines))
            return
        document = self.consumer.document or {}
        if document.get("repeat", 1) < 0:
            # No schema says so: this version of the service can't repeat less than never.
            self.answers[500] += 1
            self._answer(500, "can't say that\n")
            return
        self.answers[200] += 1
        self._answer(200, f"{document.get('words', '')}\n")

    def _answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing of single requests."""


def main(folder: Path) -> None:
    """Serve until SIGTERM."""
    Greeter.consumer = FileConsumer(folder)
    Greeter.answers.update({200: 0, 500: 0})
    host, _, port = folder.name.rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), Greeter)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print(json.dumps({"listens": folder.name}), flush=True)
    while True:
        Greeter.consumer.poll()
        time.sleep(LOOK_EVERY_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
