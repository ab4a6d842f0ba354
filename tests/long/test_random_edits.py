"""Random sequences of edits and builds: what is there at the end is what a clean build makes.

The steps, their keys, the store, manifests and the plan are real. Snakemake itself, at more than
a second a run, is replaced by `stand_in`, and the tools by `cheap_tools`.

Of each job that the last plan has, all files are compared, manifests to the byte: what a manifest
says of inputs, slice, code and tools is the step's key, and whatever changes the key makes the
job run, or be taken from the store under that very key.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edgeflow.artifact import fingerprint
from edgeflow.plan import Plan
from tests.long import cheap_tools
from tests.long.conftest import SWEEP
from tests.long.edited_project import (
    ADDITIONS,
    DEPLOYMENTS,
    OPTIONS,
    SOURCES,
    TOOLS,
    Sources,
    State,
    World,
    forget_code,
)
from tests.long.stand_in import STEPS, StandIn, jobs_of, remove, rule, set_time

SEQUENCES = 1_000 if SWEEP else 300

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


def corrupt_store(every: int, byte: int) -> Edit:
    """Flip a byte of every so many blobs and entries, in copies of their own.

    The byte of a file that results share would be one of theirs too: an edit of results, not of
    the store.
    """

    def edit(world: World) -> None:
        files = sorted(path for path in (world.folder / "store").rglob("*") if path.is_file())
        for path in files[::every]:
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
additions = st.integers(0, len(ADDITIONS) - 1)
edits: st.SearchStrategy[Edit] = st.one_of(
    st.builds(choose_option, st.integers(0, len(OPTIONS) - 1), st.integers(0, 1)),
    *[st.builds(edit_source, st.just(index), additions) for index in range(len(SOURCES))],
    st.builds(toggle_deployment, st.integers(0, len(DEPLOYMENTS) - 1)),
    st.builds(toggle_tool, st.sampled_from(TOOLS)),
    st.builds(write_data, st.integers(0, 1)),
    st.builds(check_out, numbers),
    st.builds(delete_file, numbers),
    st.builds(delete_folder, numbers),
    st.builds(touch, numbers),
    st.builds(corrupt_store, st.integers(1, 50), numbers),
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
        missing = wanted.keys() - found.keys()
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


@pytest.mark.parametrize("step", STEPS)
def test_a_change_of_slice_code_or_tools_triggers_each_rule(step: str) -> None:
    params = rule(step).params
    assert [params[name] for name in ("slice", "code", "tools")] == [step] * 3


def test_an_edit_of_each_source_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = Sources(tmp_path, monkeypatch)
    for index, name in enumerate(SOURCES):
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        sources.bring(State())
        before = fingerprint._read(module)
        sources.bring(State(sources=replaced(State().sources, index, 1)))
        assert fingerprint._read(module) != before, name
    forget_code()


def test_random_edits_end_in_what_a_clean_build_makes(bench: Bench) -> None:
    # An interrupted build leaves a model older than its dataset; to take the same model from the
    # store elsewhere must not make it look newer.
    @example(
        [
            (choose_option(1, 1), False),
            (interrupted_build(1), False),
            (build_elsewhere(0), False),
        ]
    )
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
    assert bench.done > SEQUENCES
