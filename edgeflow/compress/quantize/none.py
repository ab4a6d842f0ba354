"""float32 weights and activations: the network as it was trained."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgeflow.compress.source import FloatModel


def convert(model: "FloatModel", calibration: Any) -> bytes:  # noqa: ARG001  # one signature for all
    """Return the float32 .tflite."""
    flatbuffer: bytes = model.converter().convert()
    return flatbuffer
