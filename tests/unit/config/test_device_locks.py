"""The device environments hold the engines that the host's reference was made with."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOCKS = sorted((ROOT / "envs").glob("*-device.txt"))
OTHER_ENGINES = {"edgetpu-device", "myriad-device"}
"""Those of engines that edgeflow's own environment has not."""


def pins(lock: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", lock.read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def test_there_is_a_lock_for_each_of_our_targets() -> None:
    engines = ("edgetpu", "iree", "litert", "myriad", "onnxruntime", "openvino")
    assert [lock.name for lock in LOCKS] == [f"{engine}-device.txt" for engine in engines]


@pytest.mark.parametrize(
    "lock", [lock for lock in LOCKS if lock.stem not in OTHER_ENGINES], ids=lambda lock: lock.stem
)
def test_each_package_asked_for_is_pinned_as_on_the_host(lock: Path) -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    host = {package["name"]: package["version"] for package in packages}
    for name in lock.with_suffix(".in").read_text().split():
        assert host[name] in pins(lock)[name]  # others are for newer Pythons


def test_the_toolchain_that_makes_a_reference_has_what_the_device_has() -> None:
    host, device = (pins(ROOT / "envs" / name) for name in ("myriad.txt", "myriad-device.txt"))
    assert host["openvino"] == device["openvino"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_locks_have_hashes_and_name_no_index(lock: Path) -> None:
    text = lock.read_text()
    requirements = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in requirement for requirement in requirements)
    assert "://" not in text
