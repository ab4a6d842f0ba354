"""Deployments: which model goes where, and what it must reach there."""

from typing import Annotated

from pydantic import Field

from edgeflow.config.base import Reference, Section
from edgeflow.config.gates import Gates


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
