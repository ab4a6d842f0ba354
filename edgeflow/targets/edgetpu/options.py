"""Options of the target `edgetpu`."""

from typing import Annotated, Literal

from pydantic import Field

from edgeflow.targets.base import HostedOptions


class EdgeTPUOptions(HostedOptions):
    """Coral's Edge TPU: USB Accelerator, Dev Board, M.2 and PCIe cards."""

    kind: Literal["edgetpu"]
    min_runtime_version: Annotated[int, Field(ge=10, le=16)] = 14
    """Oldest Edge TPU runtime that must run the model; older ones take fewer operators."""
