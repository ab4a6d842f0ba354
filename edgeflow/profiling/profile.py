"""Measures a model file on a device, beside what is deployed there, and leaves nothing."""

import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeflow.artifact.hashing import sha256_file
from edgeflow.artifact.packed import packed_size
from edgeflow.bundle.manifest import read_bundle
from edgeflow.config.deployment import Measure
from edgeflow.config.gates import figures_of
from edgeflow.config.recipe import Recipe
from edgeflow.config.target import capabilities_of
from edgeflow.deploy.agent import Refusal
from edgeflow.deploy.deploy import bring
from edgeflow.deploy.release import OpenDevice, open_device
from edgeflow.deploy.runner import Layer, Measured
from edgeflow.errors import CompileError
from edgeflow.inspection.fits import refusal
from edgeflow.profiling.bundle import Board, Packed, pack
from edgeflow.profiling.network import Network, network_of
from edgeflow.validate.metrics import latency_summary
from edgeflow.validate.run import measure_release


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A figure of a profile, with the kind that says where it comes from."""

    name: str
    value: float
    kind: str
    meaning: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What was measured of a model file.

    Attributes:
        quantize: how the model is quantized.
        figures: in the order of docs/figures.md.
        operators: where they run, as the compiler says.
        layers: mean time of each, where the engine tells it.
        findings: what the target says of the network.
        conditions: under which it was measured.
    """

    target: str
    device: str
    quantize: str
    figures: tuple[Line, ...]
    operators: Mapping[str, int]
    layers: tuple[Layer, ...]
    findings: tuple[str, ...]
    conditions: Mapping[str, Any]

    def record(self) -> dict[str, Any]:
        """Return it in JSON form."""
        return {**asdict(self), "layers": [layer.model_dump() for layer in self.layers]}


def profile(
    source: Path,
    recipe: Recipe,
    board: Board,
    device: Mapping[str, Any],
    measure: Measure,
    seed: int = 0,
) -> Profile:
    """Measure a model file on a device, with random samples.

    Nothing that is deployed there is touched: the model has a name of its own, never becomes
    current, and is removed at the end, whatever happens.

    Args:
        source: the file, or folder of a SavedModel.
        recipe: that needs no data.
        board: what it is compiled for.
        device: slice of a deploy step.
        measure: how often it is run.
        seed: of the samples.

    Raises:
        CompileError: the file, the recipe and the target do not fit, or the compiler fails.
        DeployError: the device cannot run it, or gives other outputs than the host.
        MissingToolError: a tool of the target, here or on the device, is not installed.
        UnreachableError: the device does not answer.
    """
    model = f"profile-{secrets.token_hex(8)}"
    with tempfile.TemporaryDirectory() as scratch:
        network = network_of(source, recipe, _folder(scratch, "network"))
        taken = capabilities_of(board.target, board.options)
        reason = refusal(source, network.recipe, taken)
        if reason:
            raise CompileError(f"{board.name} cannot take {source}: {reason}")
        packed = pack(network, board, model, seed, _folder(scratch, "bundle"))
        with open_device(device) as opened, _removed(opened, model):
            measured = _measured(opened, packed, measure)
        return _profile(network, board, str(device["name"]), packed, measured, measure)


def _folder(scratch: str, name: str) -> Path:
    folder = Path(scratch) / name
    folder.mkdir()
    return folder


@contextmanager
def _removed(device: OpenDevice, model: str) -> Iterator[None]:
    """Remove a model from a device with the end of the block, if it is there."""
    try:
        yield
    finally:
        with suppress(Refusal):  # nothing of it came there
            device.forget(model)


def _measured(device: OpenDevice, packed: Packed, measure: Measure) -> Measured:
    manifest, sha256 = read_bundle(packed.bundle), sha256_file(packed.bundle)
    bring(device, manifest.model, packed.bundle)
    data = device.send_samples(manifest.model, packed.samples)
    return measure_release(device, manifest, sha256, data, measure)


def _profile(
    network: Network,
    board: Board,
    device: str,
    packed: Packed,
    measured: Measured,
    measure: Measure,
) -> Profile:
    compiled = packed.bundle.parent / "compiled"
    files = sorted(file for file in compiled.rglob("*") if file.is_file())
    validation = {
        "latency_ms": latency_summary(measured.latencies_ms, measure.warmup)
        if measured.latencies_ms
        else None,
        "load_time_ms": measured.load_time_ms,
        "peak_rss_mb": measured.peak_rss_mb,
        "figures": {**packed.figures, **measured.figures},
        "sizes": {
            "float_bytes": network.float_model.stat().st_size,
            "recipe_bytes": network.model.stat().st_size,
            "model_bytes": packed.model_bytes,
            "model_packed_bytes": packed_size(b"".join(file.read_bytes() for file in files)),
        },  # a bundle's size is that of other samples
    }
    return Profile(
        target=board.name,
        device=device,
        quantize=network.recipe.quantize,
        figures=tuple(_lines(board, validation)),
        operators=packed.operators,
        layers=tuple(measured.layers),
        findings=packed.findings,
        conditions=measured.conditions.model_dump(mode="json"),
    )


def _lines(board: Board, validation: Mapping[str, Any]) -> Iterator[Line]:
    """Yield the figures that there are: of random samples none that judges outputs."""
    for name, figure in figures_of([board.target.name]).items():
        try:
            read = figure.reader
            value = read(validation) if read else validation["figures"].get(name)
        except KeyError:
            continue  # of a metric, parity or the bundle
        if value is not None:
            yield Line(name=name, value=value, kind=figure.kind, meaning=figure.meaning)
