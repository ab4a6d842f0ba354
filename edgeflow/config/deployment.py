"""Deployments: which model goes where, and what it must reach there."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

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


def _named(key: str) -> JsonDict:
    return {"required": [key], "properties": {key: {"minItems": 1}}}


class Deployment(Section):
    """One model after one recipe, to devices, or only compiled for targets."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [_named("devices"), _named("targets")]})

    model: Reference
    """Name of a model of this configuration."""
    recipe: Reference
    """Name of a recipe of this configuration."""
    devices: list[Reference] = Field(default=[])
    """Names of devices of this configuration."""
    targets: list[Reference] = Field(default=[])
    """Names of targets that it is compiled and bundled for, and brought to no device."""
    gates: Gates = Gates()
    """What must hold on each of the devices, and of what is compiled for each of the targets."""
    measure: Measure = Measure()
    """How it is measured."""
    allow_downgrade: bool = False
    """Let the devices take a bundle with a lower counter than they have had; they note it."""

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        if not self.devices and not self.targets:
            raise ValueError("it names neither `devices` nor `targets` to compile for")
        return self
