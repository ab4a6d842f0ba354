"""What a release answers to samples, by the meaning that its manifest gives its outputs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from edgeflow.bundle.manifest import BundleManifest
from edgeflow.config.dataset import of_decoding
from edgeflow.dataset.tensors import Tensors
from edgeflow.ondevice import release
from edgeflow.predict.samples import Samples

VALUES_MAX = 1 << 26
"""Of a sample and its outputs; a manifest that says more is not believed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Raw:
    """What a release's runner gave.

    Attributes:
        outputs: in their own dtypes, by name, each (n, *shape).
        latencies_ms: of single inferences, one for each sample; none where there is no clock.
        engine: name and version.
    """

    outputs: Tensors
    latencies_ms: Sequence[float]
    engine: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a release says of one sample.

    Attributes:
        sample: its name.
        says: the label with probabilities or score, or the values, see
            `edgeflow.ondevice.release.meaning`.
        outputs: further outputs of the network, dequantized, by name.
        latency_ms: of this inference, measured where it ran.
    """

    sample: str
    says: Mapping[str, Any]
    outputs: Mapping[str, Any]
    latency_ms: float | None

    def record(self) -> dict[str, Any]:
        """Return it in JSON form."""
        further = {"outputs": dict(self.outputs)} if self.outputs else {}
        return {"sample": self.sample, **self.says, **further, "latency_ms": self.latency_ms}


def contradiction(manifest: BundleManifest) -> str | None:
    """Return why a manifest cannot be that of a model which answers; None if it can."""
    io, meaning = manifest.io, manifest.meaning
    if not io.inputs or not io.outputs:
        return "it has no inputs or outputs"
    if sum(math.prod(tensor.shape) for tensor in (*io.inputs, *io.outputs)) > VALUES_MAX:
        return f"more than {VALUES_MAX} values go in or come out"
    try:
        of_decoding(manifest.decoding)
    except ValidationError:
        return "it does not say how files are read"
    values, labels = math.prod(io.outputs[0].shape), len(manifest.labels)
    if meaning.task == "anomaly":
        fits = meaning.threshold is not None and labels == 2
        return None if fits and values == math.prod(io.inputs[0].shape) else "it tells no anomalies"
    return None if values == labels else f"{values} values come out for {labels} labels"


def answers(samples: Samples, raw: Raw, manifest: BundleManifest) -> list[Answer]:
    """Return a release's answers, one for each sample."""
    as_json = manifest.model_dump(mode="json")
    tensors = as_json["io"]
    first, source = samples.inputs.first, tensors["inputs"][0]
    outputs = {
        tensor["name"]: release.to_floats(array, tensor)
        for tensor, array in zip(tensors["outputs"], raw.outputs.arrays.values(), strict=True)
    }
    judged, *further = outputs

    def answer(row: int, name: str) -> Answer:
        sample = release.preprocessed(first[row], source)
        return Answer(
            sample=name,
            says=release.meaning(sample, outputs[judged][row], as_json),
            outputs={other: outputs[other][row].tolist() for other in further},
            latency_ms=raw.latencies_ms[row] if raw.latencies_ms else None,
        )

    return [answer(row, name) for row, name in enumerate(samples.names)]
