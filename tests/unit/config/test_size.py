"""The work of checking a configuration grows no faster than the configuration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks.sizes import many_devices, many_models, many_named_models
from edgeflow.check.project import QUICK
from edgeflow.config.load import load_file
from edgeflow.errors import ConfigError
from edgeflow.plan import Plan
from tests.growth import growth


def wrong_targets(count: int) -> dict[str, Any]:
    raw = many_devices(count)
    return {**raw, "targets": {"pie": raw["targets"]["pi"]}}


def renamed_devices(count: int) -> dict[str, Any]:
    raw = many_devices(count)
    return {**raw, "devices": {f"{name}-b": entry for name, entry in raw["devices"].items()}}


def two_units(count: int) -> dict[str, Any]:
    return many_devices(count, units=2)


@pytest.mark.parametrize(
    "project",
    [many_devices, two_units, many_models, many_named_models, wrong_targets, renamed_devices],
)
def test_checking_is_linear(project: Callable[[int], dict[str, Any]], tmp_path: Path) -> None:
    def work(size: int) -> Callable[[], object]:
        path = tmp_path / f"{size}.yaml"
        path.write_text(yaml.safe_dump(project(size), sort_keys=False))
        return lambda: check(path)

    work(1)()  # what is imported is no growth
    assert growth(work) < 2.3


def check(path: Path) -> None:
    try:
        Plan(load_file(path, QUICK))
    except ConfigError as error:
        str(error)
