"""Cheap, deterministic stand-ins for the tools that make building steps expensive.

What each makes depends on all that the real one may read: arrays, slice, tool versions, and the
source of each module that it runs, named here by hand. So what a key or a trigger leaves out shows
as a stale file. Sources are taken where `plugins.find_module` finds them now.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeflow.artifact.manifest
import edgeflow.artifact.packed
import edgeflow.bundle.pack
import edgeflow.compress.build
import edgeflow.compress.conversion
import edgeflow.compress.pipeline
import edgeflow.compress.stage
import edgeflow.targets.build
import edgeflow.train.build
from edgeflow.artifact import fingerprint
from edgeflow.bundle import archive
from edgeflow.config.model import architecture_module
from edgeflow.config.recipe import CALIBRATED, Recipe
from edgeflow.dataset.base import RawDataset, Samples
from edgeflow.dataset.sources import digits
from edgeflow.dataset.view import DatasetView, open_dataset
from edgeflow.ondevice import engine_litert, engine_openvino
from edgeflow.targets.base import CompiledModel, CompileInput
from edgeflow.targets.litert import LiteRT
from edgeflow.targets.openvino import OpenVINO

CLASSES = 3
SAMPLES = 60
TRAIN_PARTS = edgeflow.train.build.PARTS

SHIPPED = "_SHIPPED = 1\n"
"""A line of source that only matters where the source, or what it says of devices, is shipped."""

versions: dict[str, str] = {}
"""Distribution to version, where it is not 1.0."""


def version(distribution: str) -> str:
    return versions.get(distribution, "1.0")


def digest(*parts: object) -> bytes:
    """Return a digest of values; bytes count as they are, all else by its text."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part if isinstance(part, bytes) else repr(part).encode())
        total.update(b"\0")
    return total.digest()


def stamp(modules: tuple[str, ...], tools: tuple[str, ...]) -> bytes:
    """Return a digest of sources, as far as they shape what is made, and of versions."""
    sources = [fingerprint.normalized_source(module).replace(SHIPPED, "") for module in modules]
    return digest(*sources, *map(version, tools))


def _random(seed: bytes) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(seed[:8], "big"))


def load_digits(section: object) -> RawDataset:
    by = stamp(
        ("edgeflow.dataset.sources.digits", "edgeflow.dataset.split", "edgeflow.dataset.quota"),
        ("scikit-learn", "numpy"),
    )
    x = _random(by).integers(0, 17, (SAMPLES, 2, 2, 1)).astype("uint8")
    return RawDataset(
        train=Samples(x=x, y=np.arange(SAMPLES) % CLASSES),
        labels=tuple(map(str, range(CLASSES))),
        scale=1 / 16,
    )


def train(name: str, folder: Path, slice_: Any, checkpoint: object, out: Path) -> dict[str, object]:
    """Make weights of everything but `patience`, as for a training that it does not stop."""
    dataset = open_dataset(folder, TRAIN_PARTS)
    arrays = [
        get(part).tobytes() for part in TRAIN_PARTS for get in (dataset.inputs, dataset.truth)
    ]
    by = stamp(
        (
            "edgeflow.train.loop",
            "edgeflow.train.keras",
            architecture_module(slice_.architecture.name),
        ),
        ("tensorflow", "tf-keras", "numpy"),
    )
    said = slice_.model_dump(mode="json")
    del said["train"]["patience"]
    weights = digest(by, json.dumps(said, sort_keys=True), dataset.facts.input_shape, *arrays)
    (out / "model.h5").write_bytes(weights)
    (out / "history.csv").write_text(weights.hex())
    np.save(out / "outputs.npy", _random(weights).random((4, CLASSES), dtype=np.float32))
    return {
        "metric_test": weights[0] / 256,
        "epochs": slice_.train.epochs,
        "outputs": ["output"],
    }


class Model:
    """A trained model: its file."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()

    def count_params(self) -> int:
        return len(self.data)

    def loops(self) -> list[str]:
        return []


def load_model(folder: Path, train: object) -> tuple[None, Model]:
    return None, Model(folder / "model.h5")


def convert(name: str, source: Model, dataset: DatasetView, recipe: Recipe) -> bytes:
    quantize, inputs = recipe.quantize, dataset.inputs
    calibration = inputs("calibration").tobytes() if quantize in CALIBRATED else b""
    technique = f"edgeflow.compress.quantize.{quantize.replace('-', '_')}"
    tools = ("tensorflow", "tf-keras", "numpy")
    by = stamp(("edgeflow.compress.source", "edgeflow.train.keras", technique), tools)
    return digest(by, source.data, quantize, calibration)


def convert_float(name: str, source: Model, dataset: DatasetView, recipe: Recipe) -> bytes:
    return convert(name, source, dataset, Recipe())


def host_outputs(flatbuffer: bytes, inputs: Any) -> Any:
    by = stamp(("edgeflow.compress.evaluate",), ("ai-edge-litert", "numpy"))
    seed = digest(by, flatbuffer, inputs.first.tobytes())
    return _random(seed).random((len(inputs), CLASSES), dtype=np.float32)


Compile = Callable[[CompileInput, Any, Path], CompiledModel]


def compiler(module: str, tools: tuple[str, ...], read: Callable[[CompileInput], bytes]) -> Compile:
    def compile(job: CompileInput, options: Any, out: Path) -> CompiledModel:
        # the options as a whole may shape the model: they are the step's to track
        data = digest(stamp((module,), tools), read(job), options.model_dump_json())
        (out / "model.bin").write_bytes(data)
        return CompiledModel(model="model.bin", operators={"cpu": data[0]})

    return compile


def _read_openvino(job: CompileInput) -> bytes:
    calibration = b"" if job.calibration is None else job.calibration.first.tobytes()
    return digest(job.float_model.read_bytes(), job.recipe.quantize, calibration)


def engine(module: str, tools: tuple[str, ...]) -> type:
    class Engine:
        def __init__(self, folder: str, engine_options: Mapping[str, Any]) -> None:
            model = Path(folder, engine_options["model"]).read_bytes()
            said = json.dumps(dict(engine_options), sort_keys=True)
            modules = (module, "edgeflow.targets.build", "edgeflow.targets.host")
            self.seed = digest(stamp(modules, tools), model, said)

        def io(self) -> dict[str, Any]:
            tensor = {"name": "x", "shape": [1], "dtype": "float32", "scale": 0.0, "zero_point": 0}
            return {"inputs": [tensor], "outputs": [tensor]}

        def infer(self, sample: Any) -> Any:
            data = digest(self.seed, sample.tobytes())
            return np.frombuffer(data[: 4 * CLASSES], dtype=np.uint8).astype(np.float32)[
                None, :CLASSES
            ]

    return Engine


def _runtime_of(target: type[LiteRT] | type[OpenVINO], module: str) -> Callable[[Any], Any]:
    """Return the target's own `runtime`, with a tolerance that follows its source."""
    real: Any = target.runtime

    def runtime(options: Any) -> Any:
        share = digest(fingerprint.normalized_source(module))[0] / 256
        return dataclasses.replace(real(options), tolerance=1e-3 * (1 + share))

    return runtime


def install(patch: pytest.MonkeyPatch) -> None:
    """Put the stand-ins in the place of the tools."""
    build = edgeflow.compress.build
    pack = edgeflow.bundle.pack

    def write_tar(path: Path, members: Mapping[str, bytes]) -> None:
        archive.write_tar(
            path, {**members, "by": stamp(("edgeflow.bundle.pack", "edgeflow.bundle.archive"), ())}
        )

    patch.setattr(edgeflow.artifact.manifest, "version", version)
    patch.setattr(digits, "load", load_digits)
    patch.setattr(edgeflow.train.build, "_train", train)
    patch.setattr(edgeflow.compress.stage, "load_model", load_model)
    patch.setattr(edgeflow.compress.pipeline, "FloatModel", lambda model: model)
    patch.setattr(edgeflow.compress.pipeline, "unrolled", lambda keras, model: model)
    patch.setattr(edgeflow.compress.pipeline, "convert_float", convert_float)
    patch.setattr(edgeflow.compress.pipeline, "require_exact", lambda *_: None)
    patch.setattr(edgeflow.compress.conversion, "convert", convert)
    patch.setattr(edgeflow.compress.conversion, "require_integer", lambda *_: None)
    for module in (edgeflow.compress.conversion, edgeflow.targets.build):
        patch.setattr(module, "require_close", lambda *_: None)
    patch.setattr(build, "host_outputs", host_outputs)
    patch.setattr(pack, "write_tar", write_tar)
    patch.setattr(edgeflow.artifact.packed, "LEVEL", 1)
    lite, vino = ("ai-edge-litert", "numpy"), ("openvino", "nncf", "numpy")
    kinds: list[tuple[Any, str, Any, tuple[str, ...], Callable[[CompileInput], bytes]]] = [
        (LiteRT, "litert", engine_litert, lite, lambda job: job.model.read_bytes()),
        (OpenVINO, "openvino", engine_openvino, vino, _read_openvino),
    ]
    for target, name, module, tools, read in kinds:
        place = f"edgeflow.targets.{name}"
        runtime = _runtime_of(target, place)
        patch.setattr(target, "compile", staticmethod(compiler(place, tools, read)))
        patch.setattr(target, "runtime", staticmethod(runtime))
        patch.setattr(module, "Engine", engine(module.__name__, tools))
