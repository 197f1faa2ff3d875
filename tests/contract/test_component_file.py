import asyncio
import json
from pathlib import Path

import pytest

from tidegate.drivers.component.file import FileComponent
from tidegate.drivers.component.file_consumer import FileConsumer
from tidegate.testing.contracts.component import ComponentContract, Reopen

MEMBERS = ("a", "b", "c", "d")


class TestFileComponent(ComponentContract):
    @pytest.fixture(autouse=True)
    def consumers(self, tmp_path: Path) -> None:
        for name in MEMBERS:
            (tmp_path / "consumers" / name).mkdir(parents=True)
        self._consumers = [FileConsumer(tmp_path / "consumers" / name) for name in MEMBERS]

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Reopen:
        return lambda: FileComponent(tmp_path / "root")

    @pytest.fixture
    def settings_json(self, tmp_path: Path) -> str:
        return json.dumps(
            {
                "driver": "file",
                "path": None,
                "schema": {"type": "object", "required": ["rate"]},
                "dir": str(tmp_path / "consumers"),
                "members": list(MEMBERS),
                "internal": ["a"],
                "max_bytes": 4096,
                "keep_last_good": True,
            }
        )

    @pytest.fixture
    def version_names(self, tmp_path: Path) -> tuple[str, str]:
        for name, rate in (("old.json", 19), ("new.json", 21)):
            (tmp_path / name).write_text(json.dumps({"rate": rate}))
        return str(tmp_path / "old.json"), str(tmp_path / "new.json")

    @pytest.fixture
    def missing_version(self, tmp_path: Path) -> str:
        return str(tmp_path / "missing.json")

    async def turn(self) -> None:
        for consumer in self._consumers:
            consumer.poll()
        await asyncio.sleep(0)
