"""What quantization does to each class."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def compare_classes(
    before: "NDArray[np.int64]",
    after: "NDArray[np.int64]",
    truth: "NDArray[np.int64]",
    classes: int,
) -> dict[str, object]:
    """Return the share decided right by both networks, by class and over all; how often they agree.

    Args:
        before: class numbers that the float network decides for, (n,).
        after: those of the quantized one.
        truth: class numbers, (n,).
        classes: how many there are.
    """
    guesses = {"float": before, "quantized": after}
    return {
        "agreement": float((guesses["float"] == guesses["quantized"]).mean()),
        "right": {name: float((guess == truth).mean()) for name, guess in guesses.items()},
        "by_class": [
            {
                "samples": int((truth == number).sum()),
                **{name: _share(guess, truth, number) for name, guess in guesses.items()},
            }
            for number in range(classes)
        ],
    }


def _share(guess: "NDArray[np.int64]", truth: "NDArray[np.int64]", number: int) -> float | None:
    """Return the share of a class that is found; None where no sample is of that class."""
    members = truth == number
    return float((guess[members] == number).mean()) if members.any() else None
