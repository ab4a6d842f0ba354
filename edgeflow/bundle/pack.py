"""The bundle step: compiled model, runner, golden vectors and manifest in one tar, and packed."""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.artifact.fingerprint import normalized_source
from edgeflow.artifact.manifest import FileRecord, Manifest, read_manifest, verify_files
from edgeflow.artifact.packed import TOOLS, packed, packed_path, packed_size
from edgeflow.artifact.step import Files, StepSpec, content_digest, run_step
from edgeflow.bundle.archive import write_tar
from edgeflow.bundle.manifest import (
    MANIFEST,
    SIGNATURE,
    BundleManifest,
    DeviceClass,
    InputTensor,
    Io,
    Meaning,
    OutputTensor,
    Provenance,
)
from edgeflow.compress.evaluate import dequantized, details
from edgeflow.config.samples import Part
from edgeflow.dataset.tensors import stored
from edgeflow.dataset.view import DatasetView, open_dataset, part_files
from edgeflow.ondevice import PROGRAMS
from edgeflow.targets import registry
from edgeflow.targets.base import Runtime, parse_options
from edgeflow.targets.build import COMPILED
from edgeflow.targets.host import REFERENCE
from edgeflow.tasks.registry import task_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOLDEN_VECTORS = 16
PARTS: tuple[Part, ...] = ("test",)
FRONT_END = "edgeflow.ondevice.front_end"

Sign = Callable[[bytes], bytes]
"""Returns the detached signature of a manifest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeFrom:
    """What a bundle comes from, beside what is packed.

    Attributes:
        dataset: the parts that any step has read.
        model: folder of the trained or imported model.
        recipe: folder of the recipe.
    """

    dataset: Files
    model: Path
    recipe: Path

    def manifests(self) -> dict[str, Path | Files]:
        """Return the manifests, or parts of them."""
        return {
            "data": self.dataset,
            "model": self.model / "manifest.json",
            "recipe": self.recipe / "manifest.json",
        }

    def provenance(self, compiled: Path, parts: list[Part]) -> Provenance:
        """Return the digests of all that a bundle was made from."""
        digests = {name: content_digest(path) for name, path in self.manifests().items()}
        return Provenance(
            parts=parts,
            dataset=digests["data"],
            training=digests["model"],
            recipe=digests["recipe"],
            compile=content_digest(compiled / "compile.json"),
        )


def made_from(dataset: Path, model: Path, recipe: Path, parts: list[Part]) -> MadeFrom:
    """Return what a bundle comes from, by the folders of the earlier steps."""
    read = part_files(dataset, tuple(parts), "decoding")
    return MadeFrom(dataset=read, model=model, recipe=recipe)


def pack_bundle(
    name: str,
    dataset: Path,
    compiled: Path,
    slice_: Mapping[str, Any],
    code: str,
    out: Path,
    origin: MadeFrom | None = None,
    sign: Sign | None = None,
) -> Manifest:
    """Pack one bundle.

    Args:
        name: target, model and recipe, for messages.
        dataset: folder of the model's dataset.
        compiled: folder that the compile step made.
        slice_: ``{"model", "recipe", "target": JSON form of the target's options, "parts": of the
            dataset that the bundle was made from, "signing": {"counter", "key": public half}}``.
        code: fingerprint of the step.
        out: folder for bundle.tar, bundle.tar.zst and bundle.json.
        origin: what the manifest names as the bundle's provenance.
        sign: signs the manifest, by the key of the slice.

    Raises:
        IntegrityError: an input is not what its manifest says.
        SigningError: the bundle cannot be signed.
    """
    target = registry.get(slice_["target"]["kind"])
    runtime = target.runtime(parse_options(target, slice_["target"]))
    spec = StepSpec(
        step="bundle",
        name=name,
        inputs={
            "dataset": part_files(dataset, PARTS, "decoding"),
            "compiled": compiled / "compile.json",
            **(origin.manifests() if origin else {}),
        },
        slice=dict(slice_),
        code=code,
        tools=TOOLS,
        manifest="bundle.json",
        cpu="nothing",
    )

    def build(folder: Path) -> dict[str, object]:
        path = folder / "bundle.tar"
        write_bundle(path, dataset, compiled, slice_, runtime, origin=origin, sign=sign)
        data = path.read_bytes()
        frame = packed(data)
        packed_path(path).write_bytes(frame)
        return {
            "sha256": hashlib.sha256(data).hexdigest(),
            "bundle_bytes": len(data),
            "bundle_packed_bytes": len(frame),
            **_model_sizes(compiled),
        }

    return run_step(spec, out, build)


def _model_sizes(compiled: Path) -> dict[str, object]:
    """Return sizes of the compiled files, one after the other by name, nothing between them."""
    model = b"".join(_model_files(compiled, read_manifest(compiled / "compile.json")).values())
    return {"model_bytes": len(model), "model_packed_bytes": packed_size(model)}


def write_bundle(
    path: Path,
    folder: Path,
    compiled: Path,
    slice_: Mapping[str, Any],
    runtime: Runtime,
    *,
    origin: MadeFrom | None = None,
    sign: Sign | None = None,
) -> None:
    """Write a bundle, as `pack_bundle` does.

    Args:
        path: of the tar.
        folder: of the dataset.
        compiled: see `pack_bundle`.
        slice_: see `pack_bundle`.
        runtime: what is shipped beside the model.
        origin: see `pack_bundle`.
        sign: see `pack_bundle`.
    """
    record = verify_files(compiled / "compile.json")
    facts = record.facts
    dataset = open_dataset(folder, PARTS)
    capabilities = registry.get(facts["kind"]).capabilities
    bit_exact = facts["quantize"] in capabilities.bit_exact
    io = _io(facts["io"], dataset, bit_exact=bit_exact)
    members = {
        **{f"{name.rpartition('.')[2]}.py": _source(name) for name in PROGRAMS},
        "engine.py": _source(runtime.engine_module),
        **({"front_end.py": _source(FRONT_END)} if dataset.facts.front_end else {}),
        **_golden(dataset, compiled / REFERENCE, io),
        **_model_files(compiled, record),
    }
    manifest = BundleManifest(
        target=slice_["target"],
        model=slice_["model"],
        recipe=slice_["recipe"],
        quantize=facts["quantize"],
        labels=dataset.facts.labels,
        engine_options={"model": facts["model"], **runtime.engine_options},
        io=io,
        front_end=dataset.facts.front_end,
        decoding=dataset.facts.decoding,
        meaning=_meaning(dataset, compiled / REFERENCE, io),
        bit_exact=bit_exact,
        clock=runtime.clock,
        counter=(slice_.get("signing") or {}).get("counter", 0),
        device_class=DeviceClass(machines=list(runtime.machines)),
        provenance=origin.provenance(compiled, slice_["parts"]) if origin else None,
        files={name: _record(data) for name, data in sorted(members.items())},
    )
    text = (json.dumps(manifest.model_dump(mode="json"), sort_keys=True, indent=2) + "\n").encode()
    first = {MANIFEST: text, **({SIGNATURE: sign(text)} if sign else {})}
    write_tar(path, {**first, **dict(sorted(members.items()))})


def _source(module: str) -> bytes:
    return normalized_source(module).encode()


def _model_files(folder: Path, record: Manifest) -> dict[str, bytes]:
    """Return the compiled files by their name in the bundle; nothing that compile did not list."""
    prefix = f"{COMPILED}/"
    stay = {prefix + name for name in record.facts["host_files"]}
    return {
        f"model/{name.removeprefix(prefix)}": (folder / name).read_bytes()
        for name in sorted(record.files)
        if name.startswith(prefix) and name not in stay
    }


def _io(found: Mapping[str, Any], dataset: DatasetView, *, bit_exact: bool) -> Io:
    sources = dataset.facts.inputs
    return Io(
        inputs=[
            InputTensor(**tensor, stored=source.dtype, preprocess=source.preprocess)
            for tensor in found["inputs"]
            for source in [sources[tensor["name"]]]
        ],
        outputs=[
            OutputTensor(**{**tensor, "tolerance": 0.0 if bit_exact else tensor["tolerance"]})
            for tensor in found["outputs"]
        ],
    )


def _meaning(dataset: DatasetView, reference: Path, io: Io) -> Meaning:
    """Return what the first output means, as far as those of the test set tell."""
    import numpy as np

    tensor, task = io.outputs[0], task_of(dataset.facts)
    raw = np.load(reference / f"{tensor.name}.npy", allow_pickle=False)
    outputs = dequantized(raw, details(tensor.model_dump()))
    facts = task.meaning(outputs, dataset.inputs("test"), dataset.truth("test"), tensor.scale)
    return Meaning(task=task.name, **facts)


def _golden(dataset: DatasetView, reference: Path, io: Io) -> dict[str, bytes]:
    """Return samples, and what the target's engine made of them on the host."""
    import numpy as np

    samples = stored(dataset.raw("test")).arrays
    outputs = {
        tensor.name: np.load(reference / f"{tensor.name}.npy", allow_pickle=False)
        for tensor in io.outputs
    }
    return {
        f"golden_{axis}/{name}.npy": _npy(array[:GOLDEN_VECTORS])
        for axis, arrays in (("x", samples), ("y", outputs))
        for name, array in arrays.items()
    }


def _npy(array: "NDArray[Any]") -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array))
    return buffer.getvalue()


def _record(data: bytes) -> FileRecord:
    return FileRecord(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
