"""The validate step: runs a deployed bundle on its device and measures it."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.artifact.atomic import write_json
from edgeflow.artifact.events import recorded
from edgeflow.artifact.hashing import sha256_file, sha256_json
from edgeflow.artifact.manifest import read_manifest, verify_files
from edgeflow.artifact.records import read_record
from edgeflow.artifact.step import Files, content_digest
from edgeflow.bundle.manifest import BundleManifest, read_bundle
from edgeflow.config.base import Section
from edgeflow.config.deployment import Measure
from edgeflow.config.gates import figures_of
from edgeflow.dataset.tensors import Tensors
from edgeflow.dataset.view import DatasetView, open_dataset, part_files
from edgeflow.deploy.agent import outputs_stem
from edgeflow.deploy.outputs import fetch_outputs
from edgeflow.deploy.release import OpenDevice, open_device
from edgeflow.deploy.runner import Measured, has_clock, measured
from edgeflow.errors import DeployError
from edgeflow.paths import lock_file
from edgeflow.remote.answer import malformed
from edgeflow.remote.inventory import Endpoint
from edgeflow.targets.host import REFERENCE, floats
from edgeflow.tasks.registry import task_of
from edgeflow.validate import metrics
from edgeflow.validate.judge import BUNDLE_SIZES, sizes
from edgeflow.validate.kept import Kept
from edgeflow.validate.schema import Validation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

OUTPUTS = "outputs.npy"
"""Start of the names of the files that the runner writes, one for each output."""
ATTEMPTS = 3
"""Runs before a device that keeps throttling is given up."""


class Names(Section):
    """What is validated."""

    device: str
    target: str
    model: str
    recipe: str


class ValidateSlice(Section):
    """The slice of the configuration that a validation depends on."""

    device: dict[str, Any]
    measure: Measure
    names: Names


@dataclass(frozen=True, kw_only=True, slots=True)
class Folders:
    """What a device's figures are compared with, one folder for each earlier step."""

    dataset: Path
    model: Path
    recipe: Path
    compiled: Path


def validate(
    slice_: Mapping[str, Any], code: str, folders: Folders, deployed: Path, out: Path
) -> Validation:
    """Measure a deployed model on its device and write validation.json.

    Args:
        slice_: JSON form of `ValidateSlice`.
        code: fingerprint of the step.
        folders: outputs of the earlier steps.
        deployed: deploy.json of the deploy step.
        out: the file to write.

    Raises:
        UnreachableError: the device does not answer.
        DeployError: the device does not hold the bundle whole, or the runner failed there.
        IntegrityError: what came back is not what the device sent.
    """
    parsed = ValidateSlice.model_validate(dict(slice_))
    name = f"{parsed.names.device}/{parsed.names.model}"
    with recorded("validate", name) as event:
        inputs = {**_inputs(folders), "environment": _environment(parsed.device)}
        kept = Kept(name, sha256_json({"slice": slice_, "code": code, **inputs}))
        result = kept.find(deployed)
        event.facts["measured"] = result is None
        if result is None:
            result = _validate(parsed, folders)
        signer = read_record(deployed, "a deployment", lambda it: it["signed_by"])
        result = result.model_copy(update={"signed_by": signer})
        write_json(out, result.model_dump(mode="json"))
        kept.keep(result)
    return result


def _inputs(folders: Folders) -> dict[str, str]:
    """Return the digests of all that a measurement and its comparisons depend on."""
    return {
        "bundle": sha256_file(folders.compiled / "bundle.tar"),
        "sizes": content_digest(
            Files(manifest=folders.compiled / "bundle.json", names=(), facts=BUNDLE_SIZES)
        ),
        "compiled": content_digest(folders.compiled / "compile.json"),
        "dataset": content_digest(part_files(folders.dataset, ("test",))),
        "model": content_digest(folders.model / "manifest.json"),
        "recipe": content_digest(folders.recipe / "manifest.json"),
    }


def _environment(device: Mapping[str, Any]) -> str:
    """Return the digest of the lock of a virtual device's own environment, if it has one."""
    lock = device["device"].get("environment")
    return sha256_file(lock_file(lock)) if lock else ""


def _validate(slice_: ValidateSlice, folders: Folders) -> Validation:
    bundle = folders.compiled / "bundle.tar"
    manifest, sha256 = read_bundle(bundle), sha256_file(bundle)
    dataset = open_dataset(folders.dataset, ("test",))
    strata = task_of(dataset.facts).strata(dataset.truth("test"))
    indices = metrics.stratified_indices(strata, slice_.measure.samples)
    with open_device(slice_.device) as device, tempfile.TemporaryDirectory() as scratch:
        device.verify(manifest.model, sha256)
        data = device.send_data(_test_data(dataset, indices, Path(scratch)))
        record = measure_release(device, manifest, sha256, data, slice_.measure)
        outputs = fetch_outputs(device, manifest, len(indices), record.outputs_sha256)
    io = manifest.io.model_dump()
    reference = floats(_reference(folders, manifest, indices), io)
    measured_outputs = floats(outputs, io)
    stages = {
        "baseline": _stored(folders.model / OUTPUTS)[indices],
        "recipe": _stored(folders.recipe / OUTPUTS)[indices],
        "compiled": reference.first,
        "device": measured_outputs.first,
    }
    parity = _parity(manifest, measured_outputs, reference)
    judged = _judged(dataset, indices, stages, parity)
    return _summary(slice_, folders, manifest, sha256, record, judged)


def _test_data(dataset: DatasetView, indices: "NDArray[np.int64]", scratch: Path) -> Path:
    import numpy as np

    whole = dataset.folder / "test_x.npy"
    if len(indices) == len(dataset.truth("test")):
        return whole
    np.save(scratch / "test_x.npy", dataset.raw("test")[indices])
    return scratch / "test_x.npy"


def measure_release(
    device: OpenDevice, manifest: BundleManifest, sha256: str, data: str, measure: Measure
) -> Measured:
    """Run until the device does not throttle; return the runner's record.

    Args:
        device: where the release is.
        manifest: of the release.
        sha256: its name.
        data: path of the samples on the device.
        measure: how often to run.

    Raises:
        DeployError: the runner fails, answers what cannot be, or the device keeps throttling.
    """
    arguments = ["measure", "--data", data, "--out", outputs_stem()]
    runs = measure.runs if has_clock(manifest, device.endpoint) else 0
    arguments += ["--warmup", str(measure.warmup), "--runs", str(measure.runs)]
    name, timeout_s = device.endpoint.name, device.endpoint.run_timeout_s
    for _ in range(ATTEMPTS):
        start = time.monotonic()
        answer = device.run_release(manifest.model, sha256, arguments, timeout_s)
        elapsed_s = time.monotonic() - start
        record = measured(
            answer,
            runs,
            elapsed_s,
            outputs=[tensor.name for tensor in manifest.io.outputs],
            device=name,
            model=manifest.model,
        )
        _require_declared(record, manifest, device.endpoint)
        _require_known_emulator(record, device)
        if not (runs and record.conditions.throttled):
            return record
    raise DeployError(
        f"{name} throttled its CPU in {ATTEMPTS} runs; its latency means nothing",
        hint="check its power supply and cooling, let it cool down, then run `edgeflow run` again",
    )


def _require_known_emulator(record: Measured, device: OpenDevice) -> None:
    """Refuse times of a device that does not look like silicon."""
    if record.conditions.emulated and not device.endpoint.emulated:
        raise DeployError(
            f"{device.endpoint.title} is emulated: its programs are for another CPU "
            f"({record.conditions.machine}) than the one that its kernel runs on",
            hint="write `emulated: true` in its section; nothing is timed on it then",
        )


def _require_declared(record: Measured, manifest: BundleManifest, endpoint: Endpoint) -> None:
    known = figures_of([str(manifest.target["kind"])]).values()
    given = (it for it in known if endpoint.emulated or not it.needs_emulator)
    declared = {figure.name for figure in given if figure.reader is None}
    if odd := sorted(record.figures.keys() - declared):
        reason = f"figures that its target does not declare: {', '.join(odd)}"
        raise malformed(endpoint.name, f"the runner of {manifest.model}", reason)


def _reference(folders: Folders, manifest: BundleManifest, indices: "NDArray[np.int64]") -> Tensors:
    """Return the raw outputs of the engine on the host, for the samples that ran on the device."""
    folder = folders.compiled / REFERENCE
    arrays = {tensor.name: _stored(folder / f"{tensor.name}.npy") for tensor in manifest.io.outputs}
    return Tensors(arrays)[indices]


def _stored(path: Path) -> "NDArray[Any]":
    import numpy as np

    array: NDArray[Any] = np.load(path, allow_pickle=False)
    return array


def _parity(manifest: BundleManifest, device: Tensors, reference: Tensors) -> dict[str, Any]:
    tolerances = {tensor.name: tensor.tolerance for tensor in manifest.io.outputs}
    found = metrics.parity(device.arrays, reference.arrays, tolerances)
    return {**found, "bit_exact": manifest.bit_exact}


def _judged(
    dataset: DatasetView,
    indices: "NDArray[np.int64]",
    stages: Mapping[str, Any],
    parity: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what follows from each stage's outputs and the truth."""
    task, labels = task_of(dataset.facts), dataset.facts.labels
    inputs, truth = dataset.inputs("test")[indices], dataset.truth("test")[indices]
    figures = {stage: task.figure(values, inputs, truth) for stage, values in stages.items()}
    decided = task.decisions(stages, inputs, truth)
    before, after = (task.confusion(decided[s], truth, labels) for s in ("baseline", "device"))

    def agreement(one: str, other: str) -> float:
        return float(task.agree(decided[one], decided[other], truth).mean())

    return {
        "metric": {"name": task.metric.name, **figures},
        "samples": len(truth),
        "parity": {**parity, "agreement": agreement("device", "compiled")},
        "first_divergence": metrics.first_divergence(agreement),
        "confusion": before and {"baseline": before, "device": after},
    }


def _summary(
    slice_: ValidateSlice,
    folders: Folders,
    manifest: BundleManifest,
    sha256: str,
    record: Measured,
    judged: Mapping[str, Any],
) -> Validation:
    return Validation.model_validate(
        {
            **slice_.names.model_dump(),
            "kind": manifest.target["kind"],
            "quantize": manifest.quantize,
            "transport": slice_.device["device"]["transport"],
            "bundle_sha256": sha256,
            "labels": manifest.labels,
            **judged,
            "latency_ms": _latency(record, slice_.measure),
            "load_time_ms": record.load_time_ms,
            "peak_rss_mb": record.peak_rss_mb,
            "figures": {**_compiler_figures(folders), **record.figures},
            "layers": record.layers,
            "sizes": _sizes(folders),
            "conditions": record.conditions,
        }
    )


def _latency(record: Measured, measure: Measure) -> dict[str, float] | None:
    times = record.latencies_ms
    return metrics.latency_summary(times, measure.warmup) if times else None


def _compiler_figures(folders: Folders) -> dict[str, float]:
    figures: dict[str, float] = read_manifest(folders.compiled / "compile.json").facts["figures"]
    return figures


def _sizes(folders: Folders) -> dict[str, int]:
    names = ["float.tflite", "model.tflite", "outputs.npy"]  # what a rule carries to this step
    verify_files(folders.recipe / "manifest.json", names)
    return sizes(folders.recipe, folders.compiled)
