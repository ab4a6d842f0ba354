"""Deployments: which model goes where, and what it must reach there."""

from typing import Annotated

from pydantic import Field

from edgeflow.config.base import Reference, Section

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Gates(Section):
    """Limits on what is measured on the device; a gate that is absent is not checked."""

    accuracy_min: Share | None = None
    """Lowest accuracy on the device, 0..1."""
    accuracy_drop_max: Share | None = None
    """Largest loss of accuracy from the float model to the device, 0..1."""
    parity_min: Share | None = None
    """Smallest share of test samples whose output equals the host's reference, 0..1."""
    latency_p50_ms_max: Positive | None = None
    """Largest median latency of one inference."""
    latency_p90_ms_max: Positive | None = None
    """Largest 90th percentile of the latency."""
    latency_p99_ms_max: Positive | None = None
    """Largest 99th percentile of the latency."""
    peak_rss_mb_max: Positive | None = None
    """Largest resident memory of the process that runs the model."""
    model_bytes_max: Positive | None = None
    """Largest size of the compiled model."""
    bundle_bytes_max: Positive | None = None
    """Largest size of the bundle."""
    model_packed_bytes_max: Positive | None = None
    """Largest size of the compiled model after entropy coding (Zstandard)."""
    bundle_packed_bytes_max: Positive | None = None
    """Largest size of the bundle after entropy coding, as a device that can unpack it is sent."""


class Measure(Section):
    """How a deployment is measured on the device."""

    samples: Annotated[int, Field(ge=1)] | None = None
    """Test samples to run, stratified; all of them by default."""
    warmup: Annotated[int, Field(ge=0)] = 20
    """Inferences before the clock counts."""
    runs: Annotated[int, Field(ge=10)] = 200
    """Timed inferences for the latency percentiles."""


class Deployment(Section):
    """One model after one recipe, to one or more devices."""

    model: Reference
    """Name of a model of this configuration."""
    recipe: Reference
    """Name of a recipe of this configuration."""
    devices: Annotated[list[Reference], Field(min_length=1)]
    """Names of devices of this configuration."""
    gates: Gates = Gates()
    """What must hold on each of the devices."""
    measure: Measure = Measure()
    """How it is measured."""
