"""What a plan reads from outside is what the stamp of a project looks at."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import pytest

from edgeflow.config import dataset, device, model, recipe, root, store, target
from edgeflow.config.base import Section
from edgeflow.config.load import parse
from edgeflow.plan import Plan
from edgeflow.plan.outside import files_from_outside, may_change_unseen
from edgeflow.targets.litert import LiteRT
from edgeflow.toolchain.base import Environment, Program, Toolchain
from tests.workflow.conftest import CONFIG

LOCK = Path("envs/tinyc.txt")
KNOWN = {"path", "source", "environment", "revoked", "signatures"}
"""Keys with paths that `files_from_outside` takes in."""


def _path_keys(module: ModuleType) -> Iterator[str]:
    for _, section in inspect.getmembers(module, inspect.isclass):
        if issubclass(section, Section):
            hints = get_type_hints(section, include_extras=True)
            yield from (name for name, hint in hints.items() if "_plain" in repr(hint))


def test_each_key_that_is_a_local_path_is_looked_at() -> None:
    modules = (dataset, device, model, recipe, root, store, target)
    assert {key for module in modules for key in _path_keys(module)} == KNOWN


def test_data_models_and_locks_are_from_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    Path("net.tflite").write_bytes(b"")
    config: dict[str, Any] = {
        **CONFIG,
        "datasets": {"p": {"source": "image_folder", "path": "photos", "size": [8, 8]}},
        "models": {
            "tiny": {**CONFIG["models"]["tiny"], "dataset": "p"},
        },
        "devices": {
            "pi-1": {"target": "pi", "transport": "virtual", "environment": "lock.txt"},
            "intel-1": {"target": "intel", "transport": "virtual"},
        },
    }
    plan = Plan(parse(config))
    assert files_from_outside(plan) == [Path("photos"), Path("lock.txt")]
    assert not may_change_unseen(plan)


@pytest.mark.parametrize(
    ("toolchain", "hosts", "locks", "unseen"),
    [
        (Toolchain(environment=Environment(lock=LOCK, python="3.9")), {}, [LOCK], False),
        (Toolchain(host_environment=Environment(lock=LOCK, python="3.9")), {}, [LOCK], False),
        (Toolchain(programs=(Program(name="tinyc", install=""),)), {}, [], True),
        (Toolchain(), {"builder": {"transport": "virtual"}}, [], True),
    ],
    ids=["environment", "host environment", "programs", "compile host"],
)
def test_each_place_of_a_toolchain_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
    toolchain: Toolchain,
    hosts: dict[str, Any],
    locks: list[Path],
    unseen: bool,
) -> None:
    monkeypatch.setattr(LiteRT, "toolchain", lambda options: toolchain, raising=False)
    plan = Plan(parse({**CONFIG, "compile_hosts": hosts}))
    assert [path for path in files_from_outside(plan) if path == LOCK] == locks
    assert may_change_unseen(plan) == unseen
