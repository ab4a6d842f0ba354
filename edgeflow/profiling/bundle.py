"""Compiles a network and packs it with random samples, as a bundle that devices take."""

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from edgeflow.artifact.manifest import Manifest, describe_files
from edgeflow.artifact.packed import packed, packed_path
from edgeflow.bundle.pack import Sign, write_bundle
from edgeflow.config.samples import Affine
from edgeflow.config.target import target_slice, toolchain_of
from edgeflow.console import native_quiet
from edgeflow.dataset.tensors import INPUT, Tensors, numbered
from edgeflow.dataset.view import DatasetFacts, InputFacts
from edgeflow.imported.ends import safe
from edgeflow.profiling.network import Network
from edgeflow.targets.base import CompiledModel, CompileInput, Target
from edgeflow.targets.build import COMPILED, named, reference_engine, require_tools
from edgeflow.targets.host import REFERENCE, run_engine
from edgeflow.targets.identity import identify
from edgeflow.targets.lint import lint
from edgeflow.targets.outcome import require_sound, size_bytes
from edgeflow.targets.worker import Worker
from edgeflow.toolchain.base import Host

SAMPLES = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Board:
    """A target that a network is compiled for.

    Attributes:
        name: of the target, for messages.
        target: its class.
        options: parsed.
        host: compile host that has its toolchain, if it has one.
        sign: signs the bundle, for devices that take no other.
    """

    name: str
    target: type[Target]
    options: BaseModel
    host: Host = None
    sign: Sign | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """A bundle with random samples.

    Attributes:
        bundle: the tar, with its packed form beside it.
        samples: .npy file of them.
        model_bytes: size of the compiled model.
        operators: where they run.
        figures: that the compiler tells.
        findings: what the target says of the network.
    """

    bundle: Path
    samples: Path
    model_bytes: int
    operators: Mapping[str, int]
    figures: Mapping[str, float]
    findings: tuple[str, ...]


def pack(network: Network, board: Board, model: str, seed: int, folder: Path) -> Packed:
    """Compile a network for a target, and pack it.

    Args:
        network: what to compile.
        board: what for.
        model: name of the model on the device.
        seed: of the random samples, float32 0..1.
        folder: for what is made.

    Raises:
        CompileError: the compiler rejects the network.
        MissingToolError: a tool of the target is not installed.
    """
    target, options = board.target, board.options
    require_tools(board.name, target.check(options))
    tools = toolchain_of(target, options)
    worker = Worker(
        title=board.name, toolchain=tools, host=board.host, identity=identify(tools, board.host)
    )
    job = CompileInput(
        model=network.model,
        float_model=network.float_model,
        network=None,
        recipe=network.recipe,
        calibration=None,
        worker=worker,
    )
    artifact = folder / COMPILED
    artifact.mkdir()
    findings = lint(target, job.model, options)
    compiled = target.compile(job, options, artifact)
    require_sound(board.name, target, compiled, artifact)
    io, dataset = _run_here(job, board, compiled, seed, folder)
    facts = {
        "kind": target.name,
        "quantize": network.recipe.quantize,
        "model": compiled.model,
        "io": io,
        "host_files": list(compiled.host_files),
        "lint": [asdict(finding) for finding in findings],
    }
    _write_manifest("compile", folder / "compile.json", facts)
    names = {"model": model, "recipe": network.recipe.quantize, "target": target_slice(options)}
    bundle = folder / "bundle.tar"
    write_bundle(bundle, dataset, folder, names, target.runtime(options), sign=board.sign)
    packed_path(bundle).write_bytes(packed(bundle.read_bytes()))
    return Packed(
        bundle=bundle,
        samples=dataset / "test_x.npy",
        model_bytes=size_bytes(compiled, artifact),
        operators=compiled.operators,
        figures=compiled.figures,
        findings=tuple(map(str, findings)),
    )


def _run_here(
    job: CompileInput, board: Board, compiled: CompiledModel, seed: int, folder: Path
) -> tuple[dict[str, Any], Path]:
    """Write random samples and what the engine makes of them; return I/O and the dataset."""
    import numpy as np

    runtime = board.target.runtime(board.options)
    with native_quiet():
        engine = reference_engine(job, runtime, compiled.model, folder / COMPILED)
    found = engine.io()
    names = numbered(INPUT, len(found["inputs"]))
    io = named(found, names, safe([tensor["name"] for tensor in found["outputs"]]))
    tolerances = compiled.tolerances or itertools.repeat(runtime.tolerance)
    for tensor, tolerance in zip(io["outputs"], tolerances, strict=False):
        tensor["tolerance"] = tolerance
    rng = np.random.default_rng(seed)
    samples = {
        tensor["name"]: rng.random((SAMPLES, *tensor["shape"][1:]), np.float32)
        for tensor in io["inputs"]
    }
    raw = run_engine(engine, io, Tensors(samples))
    (folder / REFERENCE).mkdir()
    for name, array in raw.arrays.items():
        np.save(folder / REFERENCE / f"{name}.npy", array)
    return io, _write_dataset(Tensors(samples), folder / "dataset")


def _write_dataset(samples: Tensors, folder: Path) -> Path:
    """Write samples as the test part of a dataset, whose truth nobody asks for."""
    import numpy as np

    from edgeflow.dataset.arrays import records

    folder.mkdir()
    arrays = dict(samples.arrays)
    x = samples.first if len(arrays) == 1 else records(arrays)
    np.save(folder / "test_x.npy", x)
    np.save(folder / "test_y.npy", np.zeros((len(samples), 1), np.float32))
    facts = DatasetFacts(
        labels=["value"],
        inputs={
            name: InputFacts(
                shape=list(array.shape[1:]), dtype="float32", preprocess=Affine(scale=1.0)
            )
            for name, array in arrays.items()
        },
        task="regression",
        decoding={"source": "npz"},
        counts={},
    )
    _write_manifest("dataset", folder / "manifest.json", facts.model_dump(mode="json"))
    return folder


def _write_manifest(step: str, path: Path, facts: Mapping[str, Any]) -> None:
    Manifest(
        step=step,
        inputs={},
        slice={},
        code="",
        tools={},
        files=describe_files(path.parent),
        facts=dict(facts),
    ).write(path)
