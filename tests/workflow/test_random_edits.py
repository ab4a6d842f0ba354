"""Random sequences of edits and builds: what is there at the end is what a clean build makes.

The steps, their keys, the store, manifests and the plan are real. Snakemake itself, at more than
a second a run, is replaced by `stand_in`, and the tools by `cheap_tools`.
"""

import copy
import functools
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import edgeflow.artifact.fingerprint as code
import edgeflow.bundle.pack
from edgeflow import plugins
from edgeflow.artifact.hashing import canonical_json
from edgeflow.config.load import parse
from edgeflow.errors import IntegrityError
from edgeflow.plan import Plan
from tests.workflow import cheap_tools
from tests.workflow.conftest import ROOT, copy_part
from tests.workflow.stand_in import StandIn, jobs_of, remove, set_time

SEQUENCES = int(os.environ.get("NSEQ", "1000"))

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
            *("targets/openvino", "ondevice/engine_litert", "ondevice/engine_openvino"),
            "ondevice/runner",
        )
    ),
)
ADDITIONS = ("", "\n_EDITED = 1\n", "\n_EDITED = 2\n", "\n# A remark.\n")
"""What an edit puts at the end of a source file, or takes back."""

TOOLS = (
    *("numpy", "scikit-learn", "tensorflow", "tf-keras", "ai-edge-litert", "openvino", "nncf"),
)


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
def plan_of(config: str) -> Plan:
    return Plan(parse(json.loads(config)))


class Sources:
    """A copy of the package that edits change, and that fingerprints are taken of."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        copy_part(ROOT / "edgeflow", folder / "edgeflow")
        copy_part(Path(__file__).parent / "nets.py", folder / "nets.py")
        self._original = {name: (folder / name).read_text() for name in SOURCES}
        self._now = State().sources
        patch.chdir(folder)
        patch.syspath_prepend(folder)  # where modules are found, not where ours came from
        patch.setattr(plugins, "find_module", functools.cache(plugins.find_module))
        patch.setattr(code, "_read", _by_bytes(code._read.__wrapped__))
        patch.setattr(code, "normalized_source", _by_bytes(code.normalized_source))
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


def _by_bytes(function: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return `function` of a module's name, called once for the same bytes of its file."""
    known: dict[tuple[str, bytes], Any] = {}

    def remembered(module: str) -> Any:
        spec = plugins.find_module(module)
        place = spec.origin if spec and spec.origin and spec.origin.endswith(".py") else None
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
        write_field_data(self.state.field_data)
        return plan_of(canonical_json(self.state.config()))

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
        advice = re.fullmatch("delete (.*) and run `snakemake` again", error.hint)
        assert advice, error
        remove(Path(advice[1]))

    def files(self) -> list[Path]:
        return sorted(path for path in self.stand_in.results.rglob("*") if path.is_file())


def write_field_data(version: int) -> None:
    """Write the user's own data, if it is not there as it should be."""
    path, x = Path("field.npz"), np.arange(4 * 60).reshape(60, 2, 2).astype("uint8")
    marker = Path("field.version")
    if marker.exists() and marker.read_text() == str(version):
        return
    np.savez(path, x=x + version, y=np.arange(60) % 3)
    set_time(path)
    marker.write_text(str(version))


Edit = Callable[[World], None]


def changed(world: World, **values: Any) -> None:
    world.state = replace(world.state, **values)


def replaced(values: tuple[int, ...], index: int, value: int) -> tuple[int, ...]:
    return (*values[:index], value, *values[index + 1 :])


def choose_option(index: int, value: int) -> Edit:
    return lambda world: changed(world, options=replaced(world.state.options, index, value))


def edit_source(index: int, value: int) -> Edit:
    return lambda world: changed(world, sources=replaced(world.state.sources, index, value))


def toggle_deployment(index: int) -> Edit:
    return lambda world: changed(world, deployed=world.state.deployed ^ {index} or frozenset({0}))


def toggle_tool(name: str) -> Edit:
    return lambda world: changed(world, upgraded=world.state.upgraded ^ {name})


def write_data(version: int) -> Edit:
    return lambda world: changed(world, field_data=version)


def check_out(index: int) -> Edit:
    """Bring back configuration, sources and data of an earlier build; tools stay installed."""

    def edit(world: World) -> None:
        if world.history:
            earlier = world.history[index % len(world.history)]
            world.state = replace(earlier, upgraded=world.state.upgraded)

    return edit


def delete_file(index: int) -> Edit:
    def edit(world: World) -> None:
        files = world.files()
        if files:
            world.deleted.add(files[index % len(files)])
            remove(files[index % len(files)])

    return edit


def delete_folder(index: int) -> Edit:
    def edit(world: World) -> None:
        files = world.files()
        if files:
            folder = files[index % len(files)].parent
            world.deleted.update(path for path in files if folder in path.parents)
            remove(folder)

    return edit


def touch(index: int) -> Edit:
    def edit(world: World) -> None:
        files = [*world.files(), Path("field.npz")]
        set_time(files[index % len(files)])

    return edit


def corrupt_store(index: int, byte: int) -> Edit:
    """Flip a byte of a blob or an entry, in a copy of its own.

    The byte of a file that results share would be one of theirs too: an edit of results, not of
    the store.
    """

    def edit(world: World) -> None:
        files = sorted(path for path in (world.folder / "store").rglob("*") if path.is_file())
        if files:
            path = files[index % len(files)]
            data = bytearray(path.read_bytes())
            data[byte % len(data)] ^= 1
            path.unlink()
            path.write_bytes(data)

    return edit


def switch_store(on: bool) -> Edit:
    def edit(world: World) -> None:
        world.uses_store = on

    return edit


def interrupted_build(jobs: int) -> Edit:
    return lambda world: world.build(at_most=jobs)


def build_elsewhere(index: int) -> Edit:
    """Build an earlier state in another checkout that shares the store."""

    def edit(world: World) -> None:
        state, history = world.state, list(world.history)
        here, world.stand_in = world.stand_in, StandIn(world.folder / "elsewhere")
        check_out(index)(world)
        world.build()
        remove(world.folder / "elsewhere")
        world.state, world.history, world.stand_in = state, history, here

    return edit


numbers = st.integers(0, 200)
edits: st.SearchStrategy[Edit] = st.one_of(
    st.builds(choose_option, st.integers(0, len(OPTIONS) - 1), st.integers(0, 1)),
    st.builds(edit_source, st.integers(0, len(SOURCES) - 1), st.integers(0, len(ADDITIONS) - 1)),
    st.builds(toggle_deployment, st.integers(0, len(DEPLOYMENTS) - 1)),
    st.builds(toggle_tool, st.sampled_from(TOOLS)),
    st.builds(write_data, st.integers(0, 1)),
    st.builds(check_out, numbers),
    st.builds(delete_file, numbers),
    st.builds(delete_folder, numbers),
    st.builds(touch, numbers),
    st.builds(corrupt_store, numbers, numbers),
    st.builds(switch_store, st.booleans()),
    st.builds(interrupted_build, st.integers(0, 6)),
    st.builds(build_elsewhere, numbers),
)
sequences = st.lists(st.tuples(edits, st.booleans()), min_size=1, max_size=6)


def contents(results: Path, plan: Plan) -> dict[str, bytes]:
    """Return all files in the folders of the plan's jobs, manifests too."""
    folders = {job.out for job in jobs_of(plan, results)}
    return {
        path.relative_to(results).as_posix(): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }


class Bench:
    """Runs sequences, and clean builds to hold them against."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.sources = Sources(folder / "project", patch)
        patch.setattr(os, "utime", set_time)  # the store's own are times of the same clock
        self.clean: dict[State, dict[str, bytes]] = {}
        self.done = 0

        self.built = self.empty("edited")
        self.built.build()
        _copy(self.built.folder, self.folder / "built")

    def empty(self, name: str) -> World:
        """Return a project of which nothing is built yet."""
        remove(self.folder / name)
        return World(self.sources, self.folder / name)

    def fresh(self) -> World:
        """Return the project as it was first built."""
        world = self.empty("edited")
        remove(world.folder)
        _copy(self.folder / "built", world.folder)
        world.stand_in.remembered.update(self.built.stand_in.remembered)
        world.history = list(self.built.history)
        return world

    def clean_build(self, state: State) -> dict[str, bytes]:
        if state not in self.clean:
            world = self.empty("clean")
            world.state, world.uses_store = state, False
            world.build()
            self.clean[state] = contents(world.stand_in.results, world.plan())
        return self.clean[state]

    def check(self, sequence: list[tuple[Edit, bool]]) -> None:
        world = self.fresh()
        for edit, builds in sequence:
            edit(world)
            if builds:
                world.build()
        world.build()
        results = world.stand_in.results
        found, wanted = contents(results, world.plan()), self.clean_build(world.state)
        # What was deleted, and nothing that runs takes, Snakemake makes when something asks for it.
        missing = {name for name in wanted.keys() - found.keys()}
        assert missing <= {path.relative_to(results).as_posix() for path in world.deleted}
        assert not any(name.endswith("bundle.tar") for name in missing)
        assert [name for name, data in found.items() if data != wanted.get(name)] == []
        self.done += 1


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with its times, and with the links between its files."""
    subprocess.run(["cp", "--archive", source, target], check=True)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        monkeypatch.setenv("EDGEFLOW_STORE", "off")
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)
        cheap_tools.install(monkeypatch)
        forget_code()
        yield Bench(Path(folder), monkeypatch)
    forget_code()


def test_random_edits_end_in_what_a_clean_build_makes(bench: Bench) -> None:
    @settings(
        max_examples=SEQUENCES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(sequences)
    def check(sequence: list[tuple[Edit, bool]]) -> None:
        bench.check(sequence)

    check()
    assert bench.done >= SEQUENCES


def test_x(bench: Bench) -> None:
    bench.check([(choose_option(1, 1), False), (interrupted_build(1), False), (build_elsewhere(0), False)])
