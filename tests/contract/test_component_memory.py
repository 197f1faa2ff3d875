import pytest

from tidegate.drivers.component.memory import MemoryComponent
from tidegate.testing.contracts.component import ComponentContract, Reopen


class TestMemoryComponent(ComponentContract):
    @pytest.fixture(params=[0, 3], ids=["at-once", "lagging"])
    def reopen(self, request: pytest.FixtureRequest) -> Reopen:
        target = MemoryComponent(lag_observes=request.param, missing={"9.9.9"})
        return lambda: target

    @pytest.fixture
    def settings_json(self) -> str:
        return "{}"

    @pytest.fixture
    def version_names(self) -> tuple[str, str]:
        return "1.0.0", "1.1.0"

    @pytest.fixture
    def missing_version(self) -> str:
        return "9.9.9"

    async def turn(self) -> None:
        """Nothing to wait for."""
