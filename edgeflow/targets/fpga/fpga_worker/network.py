"""The network that `quantize: hgq` trained, as Keras 3 with HGQ2 reads it."""

from pathlib import Path
from typing import Any

from .opening import load_network
from .refusal import Refusal


class Network:
    """A network that can be run, and described."""

    def __init__(self, keras: Any) -> None:
        """Take a network of Keras 3."""
        self.keras = keras

    def outputs(self, samples: Any) -> Any:
        """Return what it computes, float64 (n, all outputs' elements).

        Args:
            samples: float32 (n, all inputs' elements), of one input after the other.
        """
        import numpy as np

        inputs, start = [], 0
        for tensor in self.keras.inputs:
            size = int(np.prod(tensor.shape[1:]))
            inputs.append(samples[:, start : start + size].reshape(-1, *tensor.shape[1:]))
            start += size
        given = self.keras.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
        arrays = given if isinstance(given, list) else [given]
        return np.concatenate([array.reshape(len(samples), -1) for array in arrays], axis=1)

    def products(self) -> int:
        """Return how often it multiplies by a weight other than zero for one sample."""
        import numpy as np

        layers = [one for one in self.keras.layers if hasattr(one, "qkernel")]
        weights = [int(np.count_nonzero(np.asarray(one.qkernel))) for one in layers]
        places = [int(np.prod(one.output.shape[1:-1])) for one in layers]
        return sum(count * place for count, place in zip(weights, places, strict=True))

    def io(self) -> dict[str, Any]:
        """Return names and shapes of its ends, all float32."""
        return {
            "inputs": [_tensor("input", one) for one in self.keras.inputs],
            "outputs": [_tensor("output", one) for one in self.keras.outputs],
        }

    def rounds(self) -> bool:
        """Return whether quantizers of activations round to the nearest step, not down."""
        found: list[Any] = [getattr(layer, "_iq", None) for layer in self.keras.layers]
        inner = [one.quantizer for one in found if hasattr(one, "quantizer")]
        return any(str(one.round_mode).startswith("RND") for one in inner)

    def reason(self, error: Exception) -> str:
        """Return why a tool refuses it, in a line."""
        if isinstance(error, KeyError) and isinstance(error.args[0], type):
            kind: type = error.args[0]
            names = [one.name for one in filter(lambda one: type(one) is kind, self.keras.layers)]
            return f"it has no form for {kind.__name__} ({', '.join(names)})"
        text = " ".join(str(error).split())
        return f"{type(error).__name__}: {text}"[:500] if text else type(error).__name__


def load(path: Path) -> Network:
    """Read a network.

    Raises:
        Refusal: it is no such file, or cannot be read.
    """
    try:
        return Network(load_network(path))
    except Exception as error:  # whatever a damaged file brings about
        text = " ".join(str(error).split())[:300]
        raise Refusal(
            f"{path.name} is no network of Keras 3 with HGQ2 that can be read: {text}",
            "compress the model again, by a recipe with `quantize: hgq`",
        ) from error


def _tensor(name: str, tensor: Any) -> dict[str, Any]:
    shape = [1, *map(int, tensor.shape[1:])]
    return {"name": name, "shape": shape, "dtype": "float32", "scale": 0.0, "zero_point": 0}
