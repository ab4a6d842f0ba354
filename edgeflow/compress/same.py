"""Whether a step that rewrites a network has left it the same network.

Every such step calls `require_exact`, or `require_close` where it rounds, on a few samples. Both
raise exit code 7 with the first layer that differs.
"""

from itertools import zip_longest
from typing import TYPE_CHECKING

from edgeflow.config.recipe import CALIBRATED, Recipe
from edgeflow.dataset.tensors import Tensors
from edgeflow.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from edgeflow.compress.form import Form
    from edgeflow.config.samples import Part
    from edgeflow.dataset.view import DatasetView

    Array = NDArray[np.float32]

SAMPLES = 8
"""A layer that is wired or weighted otherwise shows on any sample that is not constant."""

EXACT = 1e-3
"""Largest error, as a share of the largest value, of a step that only orders float32 sums anew.
Each operator adds some 1e-7, and a hundred in a row 1e-5; a changed network is off by 1e-1."""

STEPS = 8
"""Root mean square error, in int8 steps, that a step which rounds may always make. Rounding alone
is a third of a step for each layer, and the errors of layers add up by their squares."""

CHANCE = 1.4
"""Power of the error over that of what the output tells samples apart by. If rounding loses all of
that, the output is constant and the ratio is 1; that of unrelated outputs is 2. The loss of
accuracy below that is for gates to judge."""


def samples_for(dataset: "DatasetView", recipe: Recipe) -> Tensors:
    """Return the samples to compare on, of a part the recipe reads."""
    part: Part = "validation" if recipe.stages() else "test"
    return dataset.tensors("calibration" if recipe.quantize in CALIBRATED else part)[:SAMPLES]


def require_exact(title: str, step: str, before: "Form", after: "Form", samples: Tensors) -> None:
    """Refuse a rewritten network that gives other outputs, but for float32 rounding.

    Args:
        title: model and recipe, for messages.
        step: what rewrote the network, as the subject of a sentence.
        before: the network as it was.
        after: as it is now.
        samples: float32, preprocessed.

    Raises:
        CompileError: the outputs differ; it names the first layer that does.
    """
    _require(title, step, before, after, samples, _is_exact)


def require_close(title: str, step: str, before: "Form", after: "Form", samples: Tensors) -> None:
    """Refuse a rounded network whose outputs have nothing to do with those before rounding.

    Arguments and errors are those of `require_exact`.
    """
    _require(title, step, before, after, samples, _is_close)


def _require(
    title: str,
    step: str,
    before: "Form",
    after: "Form",
    samples: Tensors,
    is_same: "Callable[[Array, Array], bool]",
) -> None:
    pairs = list(zip_longest(before.outputs(samples), after.outputs(samples)))
    differs = [not _is_pair(*pair, is_same) for pair in pairs]
    if not any(differs):
        return
    place = differs.index(True)
    which = f"output {place}: " if len(pairs) > 1 else ""
    layer = _first_difference(before, after, samples, is_same)
    raise CompileError(
        f"{title}: {step} changed the network: {which}{_difference(*pairs[place])}; "
        f"the first layer that differs is {layer}",
        hint="use a recipe without that step, or write that part of the network in other layers",
    )


def _is_pair(
    wanted: "Array | None", found: "Array | None", is_same: "Callable[[Array, Array], bool]"
) -> bool:
    if wanted is None or found is None:
        return False
    return wanted.shape == found.shape and is_same(wanted, found)


def _is_exact(wanted: "Array", found: "Array") -> bool:
    import numpy as np

    if not np.isfinite(wanted).all():
        return True  # a network that overflows has nothing to compare
    largest = float(np.abs(wanted).max(initial=0.0))
    error = np.abs(found - wanted).max(initial=0.0)
    return bool(error <= EXACT * max(largest, EXACT))


def _is_close(wanted: "Array", found: "Array") -> bool:
    import numpy as np

    if not np.isfinite(wanted).all():
        return True
    step = np.abs(wanted).max(initial=0.0) / 128
    noise = np.mean(np.square(found - wanted, dtype=np.float64))
    signal = np.mean(np.square(wanted - wanted.mean(axis=0), dtype=np.float64))
    return bool(noise <= max((STEPS * step) ** 2, CHANCE * signal))


def _difference(wanted: "Array | None", found: "Array | None") -> str:
    import numpy as np

    if wanted is None or found is None:
        return "it is there only before" if found is None else "it is there only after"
    if wanted.shape != found.shape:
        return f"its outputs had shape {wanted.shape[1:]} and have {found.shape[1:]}"
    error, largest = np.abs(found - wanted).max(), np.abs(wanted).max()
    return f"outputs of up to {largest:.3g} are off by up to {error:.3g}"


def _first_difference(
    before: "Form", after: "Form", samples: Tensors, is_same: "Callable[[Array, Array], bool]"
) -> str:
    """Return the name of the first layer of `before` whose output is another in `after`."""
    there = after.layers(samples)
    shared = (
        name
        for name, wanted in before.layers(samples).items()
        if name in there and wanted.shape == there[name].shape and not is_same(wanted, there[name])
    )
    return next(map(repr, shared), "its last")
