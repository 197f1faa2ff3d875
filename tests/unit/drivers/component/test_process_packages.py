import asyncio
import json
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from tidegate.domain.quantities import (
    NO_EXPOSURE,
    Arm,
    ComponentName,
    Environment,
    Exposure,
    Generation,
    Placement,
    ServiceName,
    TargetName,
)
from tidegate.drivers.component.process import ProcessComponent
from tidegate.drivers.processes.supervisor import ShimSupervisor
from tidegate.drivers.traffic.memory import MemoryTraffic
from tidegate.errors import VersionNotFoundError, WorkloadError
from tidegate.ports.component import Applied, Assignment

SOURCE = """
import socket, sys

def main():
    server = socket.create_server(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])))
    while True:
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 204 x\\r\\nConnection: close\\r\\n\\r\\n")
"""
PLACEMENT = Placement(
    service=ServiceName("shop"), component=ComponentName("code"), target=TargetName("eu-1")
)
SETTINGS = json.dumps(
    {
        "driver": "process",
        "package": "tidegate-test-shop",
        "run": 'shop --port {port} --title "version {version}"',
        "command": None,
        "files": [],
        "env": {},
        "members": 1,
        "probe": {"http": "/healthz", "every_seconds": 1.0},
        "drain_seconds": 1.0,
        "pools": "canary",
        "traffic": {
            "driver": "envoy",
            "listen": "127.0.0.1:8080",
            "sticky": "cookie:tg",
            "internal": None,
        },
    }
)


def a_wheel(folder: Path, version: str, *, requires: str = "") -> Path:
    """Make a wheel with the program `shop`, so that a package can be had without any index."""
    name, info = "tidegate_test_shop", f"tidegate_test_shop-{version}.dist-info"
    files = {
        f"{name}.py": SOURCE,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tidegate-test-shop\n"
        f"Version: {version}\n" + (f"Requires-Dist: {requires}\n" if requires else ""),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\nshop = {name}:main\n",
    }
    hashes = {
        path: urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()
        for path, text in files.items()
    }
    lines = [f"{path},sha256={found},{len(files[path])}\n" for path, found in hashes.items()]
    files[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\n"])
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return wheel


def a_missing_wheel(folder: Path) -> None:
    """Make the wheel that another one was waiting for."""
    name, info = "tidegate_test_missing", "tidegate_test_missing-1.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1-py3-none-any.whl", "w") as archive:
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tidegate-test-missing\nVersion: 1\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", f"{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of wheels that is all that pip can find."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip"))
    return folder


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[ShimSupervisor]:
    supervisor = ShimSupervisor(tmp_path / "processes")
    yield supervisor
    await asyncio.gather(*(supervisor.end(name) for name in await supervisor.names()))


@pytest.fixture
def driver(tmp_path: Path, processes: ShimSupervisor) -> ProcessComponent:
    return ProcessComponent(processes, MemoryTraffic(), tmp_path / "root")


async def first_assignment(driver: ProcessComponent, version: str) -> Assignment:
    baseline = await driver.resolve(version, SETTINGS)
    return Assignment(
        placement=PLACEMENT,
        candidate=baseline,
        baseline=baseline,
        exposure=NO_EXPOSURE,
        generation=Generation(1),
        environment=Environment.LAB,
        settings_json=SETTINGS,
        target_settings_json="{}",
    )


async def settle(driver: ProcessComponent, assignment: Assignment) -> Applied:
    async with asyncio.timeout(120):
        while True:
            await driver.apply(assignment)
            seen = await driver.observe(PLACEMENT)
            if seen.settled:
                return seen
            await asyncio.sleep(0.05)


async def test_two_versions_of_a_package_serve_beside_each_other(
    driver: ProcessComponent, index: Path, processes: ShimSupervisor, tmp_path: Path
) -> None:
    """Each version runs from an environment of its own, known by the digest of its wheel."""
    old, new = a_wheel(index, "1.0.0"), a_wheel(index, "1.1.0")
    first = await first_assignment(driver, "1.0.0")
    await settle(driver, first)
    candidate = await driver.resolve("1.1.0", SETTINGS)

    seen = await settle(
        driver,
        replace(
            first,
            candidate=candidate,
            exposure=Exposure(internal=False, weight_bps=500),
            generation=Generation(2),
        ),
    )

    assert {one.arm: one.digest for one in seen.members} == {
        Arm.BASELINE: f"sha256:{sha256(old.read_bytes()).hexdigest()}",
        Arm.CANDIDATE: f"sha256:{sha256(new.read_bytes()).hexdigest()}",
    }
    (name,) = (one.name for one in seen.members if one.arm is Arm.CANDIDATE)
    status = await processes.status(name)
    assert status is not None
    assert status.argv[0].startswith(str(tmp_path / "root" / "versions"))
    assert status.argv[-1] == "version 1.1.0"
    assert not [name for name in await processes.names() if name.startswith("install")]


async def test_a_retired_version_gives_its_environment_back(
    driver: ProcessComponent, index: Path, tmp_path: Path
) -> None:
    """Old environments don't fill the disk; the version can still be had again."""
    a_wheel(index, "1.0.0")
    (wheel := a_wheel(index, "1.1.0")).touch()
    first = await first_assignment(driver, "1.0.0")
    await settle(driver, first)
    candidate = await driver.resolve("1.1.0", SETTINGS)
    few = replace(
        first,
        candidate=candidate,
        exposure=Exposure(internal=False, weight_bps=500),
        generation=Generation(2),
    )
    await settle(driver, few)
    await driver.withdraw(PLACEMENT, Generation(3))
    wheel.unlink()

    await driver.retire(PLACEMENT)

    environments = list((tmp_path / "root" / "versions").glob("*/venv"))
    assert len(environments) == 1
    again = await settle(driver, replace(few, generation=Generation(4)))
    assert again.candidate == candidate


async def test_a_version_that_the_index_lacks_is_not_found(
    driver: ProcessComponent, index: Path
) -> None:
    """A typing error in a version is told when it's planned."""
    a_wheel(index, "1.0.0")

    with pytest.raises(VersionNotFoundError, match=r"no wheel of tidegate-test-shop==9\.9\.9"):
        await driver.resolve("9.9.9", SETTINGS)


@pytest.mark.parametrize("version", ["1.0; touch /tmp/x", "../1.0", "--index-url=x", "", "1 0"])
async def test_what_can_not_be_a_version_is_refused(
    driver: ProcessComponent, index: Path, version: str
) -> None:
    """A version is put into commands and paths: it can't be more than a version there."""
    with pytest.raises(VersionNotFoundError, match="can't be a version"):
        await driver.resolve(version, SETTINGS)


async def test_another_wheel_under_the_same_version_is_found_out(
    driver: ProcessComponent, index: Path
) -> None:
    """Who approved a digest gets that digest or nothing."""
    wheel = a_wheel(index, "1.0.0")
    planned = await driver.resolve("1.0.0", SETTINGS)
    wheel.unlink()
    a_wheel(index, "1.0.0", requires="another")

    with pytest.raises(VersionNotFoundError, match=planned.digest):
        await driver.resolve(f"1.0.0@{planned.digest}", SETTINGS)


async def test_what_was_resolved_is_installed_though_the_index_changed(
    driver: ProcessComponent, index: Path
) -> None:
    """The wheel is kept from the moment it was planned."""
    wheel = a_wheel(index, "1.0.0")
    first = await first_assignment(driver, "1.0.0")
    wheel.unlink()

    seen = await settle(driver, first)

    assert seen.serving == first.baseline


async def test_an_installation_that_fails_says_why_and_is_tried_again(
    driver: ProcessComponent, index: Path
) -> None:
    """A person reads pip's last words; once the cause is gone it goes on by itself."""
    a_wheel(index, "1.0.0", requires="tidegate-test-missing")
    first = await first_assignment(driver, "1.0.0")

    with pytest.raises(WorkloadError, match="can't be installed") as caught:
        await settle(driver, first)

    assert "No matching distribution found for tidegate-test-missing" in caught.value.message
    a_missing_wheel(index)
    await settle(driver, first)


async def test_a_changed_environment_is_not_the_version_any_more(
    driver: ProcessComponent, index: Path, processes: ShimSupervisor, tmp_path: Path
) -> None:
    """Drift is seen: what a member would start from next time isn't what was approved."""
    a_wheel(index, "1.0.0")
    await settle(driver, await first_assignment(driver, "1.0.0"))
    (installed,) = (tmp_path / "root" / "versions").rglob("tidegate_test_shop.py")
    installed.write_text("# patched in place")
    reopened = ProcessComponent(processes, driver._traffic, tmp_path / "root")

    seen = await reopened.observe(PLACEMENT)

    assert not seen.settled
    assert "tidegate_test_shop.py was changed" in seen.why_not
