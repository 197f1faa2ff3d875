import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tidegate.drivers.component.process import ProcessComponent
from tidegate.drivers.processes.supervisor import ShimSupervisor
from tidegate.drivers.traffic.memory import MemoryTraffic
from tidegate.testing.contracts.component import ComponentContract, Reopen

SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


class TestProcessComponent(ComponentContract):
    @pytest.fixture(params=[0, 2], ids=["at-once", "lagging"])
    async def reopen(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reopen]:
        traffic = MemoryTraffic(lag_reads=request.param)
        processes = ShimSupervisor(tmp_path / "processes")
        yield lambda: ProcessComponent(processes, traffic, tmp_path / "root")
        for name in await processes.names():
            await processes.end(name)

    @pytest.fixture
    def settings_json(self, tmp_path: Path) -> str:
        file = str(tmp_path / "server-{version}.py")
        return json.dumps(
            {
                "driver": "process",
                "package": None,
                "run": None,
                "command": [sys.executable, "-S", "-E", file, "{port}"],
                "files": [file],
                "env": {},
                "members": 2,
                "probe": {"http": "/healthz", "every_seconds": 1.0},
                "drain_seconds": 1.0,
                "pools": "canary",
                "traffic": {
                    "driver": "envoy",
                    "listen": "127.0.0.1:8080",
                    "sticky": "cookie:tg",
                    "internal": "header:x-internal=1",
                },
            }
        )

    @pytest.fixture
    def version_names(self, tmp_path: Path) -> tuple[str, str]:
        for version in ("1.0.0", "1.1.0"):
            (tmp_path / f"server-{version}.py").write_text(SERVER)
        return "1.0.0", "1.1.0"

    @pytest.fixture
    def missing_version(self) -> str:
        return "9.9.9"
