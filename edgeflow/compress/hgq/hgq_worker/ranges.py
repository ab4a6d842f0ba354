"""How many bits weights and activations start with, and how many they are left with."""

from typing import Any

import numpy as np
from hgq.utils import trace_minmax

from .network import FINE, Network
from .training import Samples


def start(network: Network, samples: Samples, bits: int) -> None:
    """Give each tensor the bits behind the point with which its values take `bits` in all.

    Args:
        network: with its float weights.
        samples: tell how large activations get.
        bits: of weights and activations, the sign included.
    """
    trace_minmax(network.model, samples.some(), batch_size=256)
    for quantizer, _ in network.quantizers():
        inner = quantizer.quantizer
        signed, whole = int(np.max(_of(inner._k))), float(np.max(_of(inner.i)))
        _set_fraction(inner, bits - signed - whole)
    for layer in network.weighted():
        for tensor, quantizer in ((layer.kernel, layer.kq), (layer.bias, layer.bq)):
            largest = float(np.abs(_of(tensor)).max())
            whole = np.ceil(np.log2(largest)) if largest else 0.0
            _set_fraction(quantizer.quantizer, bits - 1 - whole)


def finish(network: Network, samples: Samples) -> dict[str, Any]:
    """Fix the ranges of all values by what the samples give, and return what the network costs."""
    every = samples.every()
    trace_minmax(network.model, every)
    for quantizer, reads_input in network.quantizers():
        if reads_input:
            _share_range(quantizer.quantizer)
    trace_minmax(network.model, [one[:1] for one in every], reset=False)
    ebops = sum(int(layer.ebops) for layer in network.model.layers if _counts(layer))
    weights = [bits for layer in network.weighted() for bits in _bits(layer.kq, layer.kernel.shape)]
    activations = [
        bits for one, _ in network.quantizers() for bits in _bits(one, one.quantizer._f.shape)
    ]
    return {
        "ebops": ebops,
        "weight_bits": round(float(np.mean(weights)), 3),
        "weights_zero": round(float(np.mean(np.equal(weights, 0))), 4),
        "activation_bits": round(float(np.mean(activations)), 3),
    }


def _share_range(quantizer: Any) -> None:
    """Give what is read of an input one range: the next sample may be bright elsewhere."""
    used = _of(quantizer.b) > 0
    if used.any():
        whole = np.where(used, _of(quantizer.i)[used].max(), _of(quantizer.i))
        quantizer._i.assign(whole)
        quantizer._k.assign(np.where(used, _of(quantizer._k)[used].max(), 0).astype("uint8"))


def _counts(layer: Any) -> bool:
    return bool(getattr(layer, "enable_ebops", False))


def _bits(quantizer: Any, shape: Any) -> list[float]:
    inner = quantizer.quantizer
    bits = _of(inner.b) + _of(inner._k) * (_of(inner.b) > 0)
    return np.broadcast_to(bits, tuple(shape)).ravel().tolist()


def _set_fraction(quantizer: Any, fraction: float) -> None:
    quantizer._f.assign(np.full(quantizer._f.shape, np.clip(fraction, -FINE, 23), np.float32))


def _of(value: Any) -> Any:
    import keras

    return keras.ops.convert_to_numpy(value)
