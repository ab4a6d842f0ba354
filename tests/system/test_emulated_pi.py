"""The whole way to an emulated Raspberry Pi: arm64 Debian with LiteRT's own wheel, under QEMU."""

import copy
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeflow.testing import board, rootfs
from edgeflow.testing.board import Board
from tests.system.conftest import ENABLE
from tests.workflow.conftest import CONFIG, Project

CACHE = Path("~/.cache/edgeflow/boards").expanduser()


@pytest.fixture(scope="session")
def arm64(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The board's file system, which no test changes."""
    if os.geteuid() != 0 or rootfs.missing() or not rootfs.runs_arm64():
        pytest.skip(f"needs root, mmdebstrap and QEMU's binfmt handlers; {ENABLE}")
    folder = tmp_path_factory.mktemp("board") / "arm64"
    yield rootfs.unpack(rootfs.archive(CACHE), folder)
    shutil.rmtree(folder)


@pytest.fixture
def pi(arm64: Path, tmp_path: Path) -> Iterator[Board]:
    with board.boot(tmp_path / "pi", arm64, counting=board.counts()) as booted:
        yield booted


def config_for(pi: Board) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    del config["targets"]["intel"]
    config["recipes"] = {"int8": {"quantize": "ptq-int8"}}
    config["devices"] = {"pi-1": {"target": "pi", "emulated": True, **pi.section()}}
    gates = {"parity_min": 1.0, "instructions_max": 1e9} if board.counts() else {"parity_min": 1.0}
    measure = {"runs": 10, "samples": 60}
    config["deployments"] = [
        {"model": "tiny", "recipe": "int8", "devices": ["pi-1"], "measure": measure, "gates": gates}
    ]
    return config


def test_int8_outputs_are_the_hosts_and_no_time_is_told(project: Project, pi: Board) -> None:
    project.write_config(config_for(pi))
    project.build()
    record = json.loads((project.folder / "results/devices/pi-1/tiny/validation.json").read_text())
    assert record["conditions"]["machine"] == "aarch64"
    assert record["conditions"]["emulated"]
    assert record["parity"]["bit_exact"]
    assert (record["parity"]["share"], record["parity"]["max_abs"]) == (1.0, 0.0)
    assert record["latency_ms"] is record["load_time_ms"] is record["peak_rss_mb"] is None
    if board.counts():
        assert 1e4 < record["figures"]["instructions"] < 1e9
    assert (pi.home / "edgeflow/tiny/current/runner.py").is_file()
