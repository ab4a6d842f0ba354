"""The slice of the configuration that each step is given: what its `--slice` must hold."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from edgeflow.config.samples import Part
from edgeflow.plugins import import_path
from edgeflow.text import reason

_STEPS: Mapping[str, str] = {
    "dataset": "edgeflow.config.dataset:Dataset",
    "train": "edgeflow.train.build:TrainSlice",
    "import": "edgeflow.imported.build:ImportSlice",
    "compress": "edgeflow.compress.slice:CompressSlice",
    "compile": f"{__name__}:Compile",
    "toolchain": "edgeflow.toolchain.base:Identity",
    "host": f"{__name__}:Host",
    "bundle": f"{__name__}:Bundle",
    "deploy": f"{__name__}:Deploy",
    "validate": f"{__name__}:Validate",
    "gate": f"{__name__}:Gate",
    "judge": f"{__name__}:Judge",
    "waves": f"{__name__}:Waves",
    "handover": f"{__name__}:Handover",
    "report": f"{__name__}:Report",
}
"""By import path: a step imports what its own slice needs. `debug` has none."""


def slice_problems(step: str, slice_: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a step's slice, each with its place.

    Args:
        step: name of the command.
        slice_: what it was given, as read from JSON.
    """
    if step not in _STEPS:
        return []
    try:
        TypeAdapter[Any](import_path(_STEPS[step])).validate_python(slice_)
    except ValidationError as error:
        return [f"{_place(entry['loc'])}{reason(entry['msg'])}" for entry in error.errors()]
    return []


def _place(keys: tuple[int | str, ...]) -> str:
    return f"{'.'.join(map(str, keys))}: " if keys else ""


def _as(path: str, **more: str) -> Any:
    """Return the type of a JSON object that a section of the configuration reads."""

    def read(value: dict[str, Any]) -> dict[str, Any]:
        TypeAdapter[Any](import_path(path)).validate_python({**more, **value})
        return value

    return Annotated[dict[str, Any], AfterValidator(read)]


_Target: Any = _as("edgeflow.config.target:Target")
# The device's slice leaves the target out.
_Device: Any = _as("edgeflow.config.device:Device", target="any")
_Measure: Any = _as("edgeflow.config.deployment:Measure")
_Names: Any = _as("edgeflow.validate.run:Names")
_Rollout: Any = _as("edgeflow.config.fleet:Rollout")
_Fleet: Any = _as("edgeflow.config.fleet:Fleet")
_Export: Any = _as("edgeflow.config.exports:Export")
_Gates: Any = _as("edgeflow.config.gates:Gates")


class Compile(BaseModel):
    """What `edgeflow compile` takes."""

    target: _Target


class Host(BaseModel):
    """What `edgeflow compile` takes as the place of its toolchain."""

    model_config = ConfigDict(extra="allow")
    name: str

    @model_validator(mode="after")
    def _is_a_host(self) -> Self:
        TypeAdapter[Any](import_path("edgeflow.config.device:CompileHost")).validate_python(
            self.model_extra
        )
        return self


class Signing(BaseModel):
    """By which key a bundle is signed; None if its public half cannot be told."""

    counter: int
    key: str | None


class Bundle(Compile):
    """What `edgeflow bundle` takes."""

    model: str
    recipe: str
    parts: list[Part]
    signing: Signing | None


class Deploy(BaseModel):
    """What `edgeflow deploy` takes, and other steps for their device."""

    name: str
    device: _Device


class Validate(BaseModel):
    """What `edgeflow validate` takes."""

    device: Deploy
    measure: _Measure
    names: _Names


class Gate(BaseModel):
    """What `edgeflow gate` takes."""

    device: Deploy
    gates: _Gates


class Compiled(BaseModel):
    """What is compiled and goes to no device."""

    target: str
    model: str
    recipe: str


class Judge(BaseModel):
    """What `edgeflow judge` takes."""

    names: Compiled
    gates: _Gates


class Waves(BaseModel):
    """What `edgeflow waves` takes."""

    name: str
    rollout: _Rollout
    fleet: _Fleet


class Handover(BaseModel):
    """What `edgeflow handover` takes."""

    name: str
    export: _Export
    key: str | None


class Unit(BaseModel):
    """One row of the report."""

    device: str
    target: str
    model: str
    recipe: str
    gates: _Gates


class Report(BaseModel):
    """What `edgeflow report` takes."""

    units: list[Unit]
    rollouts: list[str] = []
