"""Samples on which a network and what was made of it must agree, and what the network gives."""

from pathlib import Path
from typing import Any

GIVEN = "given_{}.npy"
"""Samples of the dataset, for each input."""
SAMPLES, EXPECTED = "samples_{}.npy", "expected_{}.npy"
"""All samples, for each input, and what Keras gives for them, for each output."""
COUNT = 1000
"""How many there are at least; what the dataset lacks is drawn at random."""


def write(network: Any, inputs: list[dict[str, Any]], folder: Path, given: int) -> None:
    """Write samples and what a network gives for them, as float32.

    Args:
        network: of Keras 3.
        inputs: as they are described. What is drawn is of the range of the dataset's samples,
            beyond which sums may wrap, or, without any, of that of the type.
        folder: with the samples of the dataset, and for what is written.
        given: for how many inputs there are some: for all, or for none.
    """
    import numpy as np

    arrays = [np.load(folder / GIVEN.format(place)) for place in range(given)]
    more = max(0, COUNT - (len(arrays[0]) if arrays else 0))
    generator = np.random.default_rng(0)
    for place, tensor in enumerate(inputs):
        low, high = _range(tensor)
        if arrays:
            low, high = max(low, float(arrays[place].min())), min(high, float(arrays[place].max()))
        drawn = generator.uniform(low, high, (more, *tensor["shape"][1:])).astype(np.float32)
        both = [arrays[place].reshape(-1, *tensor["shape"][1:]), drawn] if arrays else [drawn]
        np.save(folder / SAMPLES.format(place), np.concatenate(both).astype(np.float32))
    every = [np.load(folder / SAMPLES.format(place)) for place in range(len(inputs))]
    found = network.predict(every if len(every) > 1 else every[0], batch_size=256, verbose=0)
    for place, array in enumerate(found if isinstance(found, list) else [found]):
        np.save(folder / EXPECTED.format(place), np.asarray(array, np.float32))


def _range(tensor: dict[str, Any]) -> tuple[float, float]:
    """Return the smallest and largest number of a fixed-point type."""
    whole = tensor["width"] - tensor["fraction"] - tensor["signed"]
    high = 2.0**whole - 2.0 ** -tensor["fraction"]
    return (-(2.0**whole) if tensor["signed"] else 0.0), high
