"""A small project that is edited and built: what it consists of, and how it gets to a state."""

import copy
import functools
import json
import os
import re
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeflow.artifact.fingerprint as code
import edgeflow.bundle.pack
from edgeflow import plugins
from edgeflow.artifact.hashing import canonical_json
from edgeflow.config.load import parse
from edgeflow.errors import IntegrityError
from edgeflow.plan import Plan
from tests.long import cheap_tools
from tests.long.stand_in import StandIn, remove, set_time
from tests.workflow.conftest import ROOT, copy_part

OPTIONS: dict[str, tuple[Any, ...]] = {
    "datasets.digits.calibration": (6, 9),
    "datasets.digits.seed": (7, 8),
    "datasets.digits.limit": (None, 45),
    "models.tiny.architecture.width": (8, 16),
    "models.tiny.train.epochs": (2, 3),
    "models.tiny.train.patience": (5, 77),
    "models.own.dataset": ("digits", "field"),
    "recipes.fp32.quantize": ("none", "fp16"),
    "recipes.int8.quantize": ("ptq-int8", "dynamic"),
    "targets.pi.threads": (1, 2),
    "targets.intel.threads": (1, 2),
}
"""Dotted key to the values that an edit may choose from; the first is there at the start."""

DEPLOYMENTS = (
    ("tiny", "int8", "pi"),
    ("tiny", "fp32", "intel"),
    ("own", "fp32", "pi"),
    ("tiny", "q8", "intel"),
    ("twin", "fp32", "pi"),
)
"""Model, recipe and target; the last two are added by an edit, if at all."""

SOURCES = (
    "nets.py",
    *(
        f"edgeflow/{name}.py"
        for name in (
            *("artifact/step", "bundle/archive", "dataset/split", "dataset/sources/digits"),
            *("train/loop", "train/architectures/ds_cnn", "train/architectures/convnet"),
            *("compress/source", "compress/evaluate", "compress/quantize/none"),
            *("compress/quantize/ptq_int8", "compress/quantize/fp16", "targets/litert"),
            *("targets/openvino/__init__", "ondevice/engine_litert", "ondevice/engine_openvino"),
            "ondevice/runner",
        )
    ),
)
ADDITIONS = (
    "",
    "\n_EDITED = 1\n",
    "\n_EDITED = 2\n",
    "\n# A remark.\n",
    f"\n{cheap_tools.SHIPPED}",
)
"""What an edit puts at the end of a source file, or takes back."""

TOOLS = ("numpy", "scikit-learn", "tensorflow", "tf-keras", "ai-edge-litert", "openvino", "nncf")


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What a build depends on; equal states have equal clean builds."""

    options: tuple[int, ...] = (0,) * len(OPTIONS)
    deployed: frozenset[int] = frozenset({0, 1, 2})
    sources: tuple[int, ...] = (0,) * len(SOURCES)
    field_data: int = 0
    upgraded: frozenset[str] = frozenset()

    def config(self) -> dict[str, Any]:
        """Return the configuration, with what is deployed and no more."""
        units = [DEPLOYMENTS[index] for index in sorted(self.deployed)]
        network = {"dataset": "digits", "architecture": {"name": "ds_cnn"}, "train": {}}
        config: dict[str, Any] = {
            "datasets": {
                "digits": {"source": "digits"},
                "field": {"source": "npz", "path": "field.npz", "calibration": 6},
            },
            "models": {
                "tiny": network,
                "own": {"architecture": {"name": "nets:build"}},
                "twin": copy.deepcopy(network),
            },
            "recipes": {"fp32": {}, "int8": {}, "q8": {"quantize": "ptq-int8"}},
            "targets": {"pi": {"kind": "litert"}, "intel": {"kind": "openvino"}},
            "devices": {},
            "deployments": [],
        }
        for (key, values), choice in zip(OPTIONS.items(), self.options, strict=True):
            *path, last = key.split(".")
            functools.reduce(lambda part, name: part[name], path, config)[last] = values[choice]
        for model, recipe, target in units:
            device = f"{target}-{model}-{recipe}"
            config["devices"][device] = {"target": target, "transport": "virtual"}
            config["deployments"].append({"model": model, "recipe": recipe, "devices": [device]})
        for position, section in enumerate(("models", "recipes", "targets")):
            kept = {unit[position] for unit in units}
            config[section] = {name: config[section][name] for name in sorted(kept)}
        return config


@functools.cache
def _plan_of(config: str) -> Plan:
    return Plan(parse(json.loads(config)))


class Sources:
    """A copy of the package that edits change, and that fingerprints are taken of."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        copy_part(ROOT / "edgeflow", folder / "edgeflow")
        copy_part(ROOT / "tests" / "workflow" / "nets.py", folder / "nets.py")
        self._original = {name: (folder / name).read_text() for name in SOURCES}
        self._now = State().sources
        patch.chdir(folder)
        patch.syspath_prepend(folder)  # where modules are found, not where ours came from
        patch.setattr(plugins, "find_module", functools.cache(plugins.find_module))
        edited = frozenset(str(folder / name) for name in SOURCES)
        patch.setattr(code, "_read", _by_bytes(code._read.__wrapped__, edited))
        patch.setattr(code, "normalized_source", _by_bytes(code.normalized_source, edited))
        patch.setattr(edgeflow.bundle.pack, "normalized_source", code.normalized_source)

    def bring(self, state: State) -> None:
        """Write the files as they are in a state."""
        if self._now == state.sources:
            return
        for name, old, new in zip(SOURCES, self._now, state.sources, strict=True):
            if old != new:
                (self.folder / name).write_text(self._original[name] + ADDITIONS[new])
        self._now = state.sources
        forget_code()


def forget_code() -> None:
    """Let fingerprints be taken anew, as a new process would."""
    for cached in (code._closure, code.fingerprint):
        cached.cache_clear()


def _by_bytes(function: Callable[[str], Any], edited: Set[str]) -> Callable[[str], Any]:
    """Return `function` of a module's name, called once for the same bytes of its file.

    Args:
        function: reads the module's file.
        edited: the files that change.
    """
    known: dict[tuple[str, bytes], Any] = {}

    def remembered(module: str) -> Any:
        spec = plugins.find_module(module)
        place = spec.origin if spec and spec.origin in edited else None
        key = (module, Path(place).read_bytes() if place else b"")
        if key not in known:
            known[key] = function(module)
        return known[key]

    return remembered


@dataclass
class World:
    """A project that is edited and built, and the store that it may use."""

    sources: Sources
    folder: Path
    state: State = State()
    history: list[State] = field(default_factory=list)
    uses_store: bool = True
    deleted: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.stand_in = StandIn(self.folder / "results")

    def plan(self) -> Plan:
        """Return what the state asks for, with files, sources and tools as it has them."""
        self.sources.bring(self.state)
        cheap_tools.versions.clear()
        cheap_tools.versions.update(dict.fromkeys(self.state.upgraded, "2.0"))
        _write_field_data(self.state.field_data)
        return _plan_of(canonical_json(self.state.config()))

    def build(self, at_most: int | None = None) -> None:
        """Build once; then do what failures say, until there are none."""
        os.environ["EDGEFLOW_STORE"] = str(self.folder / "store") if self.uses_store else "off"
        failed = self.stand_in.run(self.plan(), at_most)
        for _ in range(20):
            if not failed:
                break
            for error in failed:
                self.heed(error)
            failed = self.stand_in.run(self.plan())
        assert not failed
        self.history.append(self.state)

    def heed(self, error: IntegrityError) -> None:
        advice = re.fullmatch("delete (.*) and run `edgeflow run` again", error.hint)
        assert advice, error
        remove(Path(advice[1]))

    def files(self) -> list[Path]:
        return sorted(path for path in self.stand_in.results.rglob("*") if path.is_file())


def _write_field_data(version: int) -> None:
    """Write the user's own data, if it is not there as it should be."""
    path, x = Path("field.npz"), np.arange(4 * 60).reshape(60, 2, 2).astype("uint8")
    marker = Path("field.version")
    if marker.exists() and marker.read_text() == str(version):
        return
    np.savez(path, x=x + version, y=np.arange(60) % 3)
    set_time(path)
    marker.write_text(str(version))
