"""What a release answers to samples, by the meaning that its manifest gives its outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeflow.bundle.manifest import BundleManifest
from edgeflow.dataset.tensors import Tensors
from edgeflow.ondevice import release
from edgeflow.predict.samples import Samples


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
