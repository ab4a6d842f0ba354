"""What quantization does to each class."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def compare_classes(
    before: "NDArray[np.float32]", after: "NDArray[np.float32]", truth: "NDArray[np.int64]"
) -> dict[str, object]:
    """Return accuracy of both networks by class and over all, and how often they agree.

    Args:
        before: outputs of the float network, (n, classes).
        after: outputs of the quantized one.
        truth: class numbers, (n,).
    """
    guesses = {"float": before.argmax(axis=1), "quantized": after.argmax(axis=1)}
    return {
        "agreement": float((guesses["float"] == guesses["quantized"]).mean()),
        "accuracy": {name: float((guess == truth).mean()) for name, guess in guesses.items()},
        "by_class": [
            {
                "samples": int((truth == number).sum()),
                **{name: _share(guess, truth, number) for name, guess in guesses.items()},
            }
            for number in range(before.shape[1])
        ],
    }


def _share(guess: "NDArray[np.int64]", truth: "NDArray[np.int64]", number: int) -> float | None:
    """Return the share of a class that is found; None where no sample is of that class."""
    members = truth == number
    return float((guess[members] == number).mean()) if members.any() else None
