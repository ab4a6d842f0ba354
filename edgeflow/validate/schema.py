"""validation.json: what was measured on one device, and its JSON schema.

`python -m edgeflow.validate.schema` writes the schema for those who read the file.
"""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from edgeflow.artifact.records import read_record
from edgeflow.config.base import Section
from edgeflow.deploy.runner import Conditions, Figures, Layers

SCHEMA_FILE = Path(__file__).parent / "validation.schema.json"

Real = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class Metric(Section):
    """The metric of the task on the test samples, at each stage."""

    name: str
    """Which one it is: `accuracy`, `auc`, `rmse` or that of another task."""
    baseline: float
    """The trained or imported model."""
    recipe: float
    """The recipe's model.tflite on the host."""
    compiled: float
    """The target's artifact in the target's engine on the host."""
    device: float
    """The bundle on the device."""


class OutputParity(Section):
    """One output of the device against the target's engine on the host."""

    share: Share
    """Share of samples for which it is equal, within the tolerance."""
    max_abs: Real
    """Largest absolute difference, dequantized."""
    tolerance: Real
    """Difference that still counts as equal; 0 where the bytes must be the same."""


class Parity(Section):
    """Device outputs against the target's engine on the host."""

    share: Share
    """Share of samples that are equal in all outputs, each within its tolerance."""
    max_abs: Real
    """Largest absolute difference of any dequantized output."""
    outputs: dict[str, OutputParity]
    """The same for each output."""
    bit_exact: bool
    """Whether this engine and recipe promise the same bytes."""
    agreement: Share
    """Share of samples with the same decision; what that is depends on the task."""


class Latency(Section):
    """One inference, from input tensor to output tensor, in ms."""

    p50: Real
    p90: Real
    p99: Real
    mean: Real
    min: Real
    max: Real
    runs: Count
    warmup: Count


class Sizes(Section):
    """Sizes in bytes, from the float network to what was sent; packed is after entropy coding."""

    float_bytes: Count
    recipe_bytes: Count
    model_bytes: Count
    bundle_bytes: Count
    model_packed_bytes: Count
    bundle_packed_bytes: Count


class Confusion(Section):
    """Confusion matrices: rows are true classes, columns decisions."""

    baseline: list[list[Count]]
    device: list[list[Count]]


class Validation(Section):
    """What was measured for one model on one device."""

    format: Literal[1] = 1
    device: str
    target: str
    kind: str
    model: str
    recipe: str
    quantize: str
    transport: str
    bundle_sha256: str
    signed_by: str | None = None
    """Who signed the bundle, as the device has verified it."""
    samples: Count
    labels: list[str]
    """Names of classes or of targets."""
    metric: Metric
    parity: Parity
    first_divergence: Literal["none", "recipe", "compiled", "device"]
    latency_ms: Latency | None
    """None where the engine has no wall clock; so are load time and peak memory."""
    load_time_ms: Real | None
    peak_rss_mb: Real | None
    figures: Figures = Field(default_factory=dict)
    """What the compiler, the engine or sensors of the device told, by the figure's name."""
    layers: Layers = Field(default_factory=list)
    """Mean time of each layer, where the engine has counters for it; in a pass of its own."""
    confusion: Confusion | None
    """None where the task decides for no classes."""
    sizes: Sizes
    conditions: Conditions


def read_validation(path: Path) -> Validation:
    """Return what the validate step wrote.

    Raises:
        IntegrityError: the file is missing, damaged or of another version.
    """
    return read_record(path, "a validation", Validation.model_validate)


def generated() -> dict[Path, str]:
    """Return the text of the generated file."""
    draft = "https://json-schema.org/draft/2020-12/schema"
    schema = {"$schema": draft, **Validation.model_json_schema(mode="serialization")}
    return {SCHEMA_FILE: json.dumps(schema, indent=2) + "\n"}


def main() -> None:
    """Write the generated file."""
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
