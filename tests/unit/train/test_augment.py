"""Random moves of training samples, whatever shape they have."""

from typing import Any

import numpy as np
import pytest

from edgeflow.config.model import Augment
from edgeflow.errors import TrainingError
from edgeflow.train.batches import _moved, _require_images

pytestmark = pytest.mark.usefixtures("keras")  # TensorFlow as all steps set it up


def moved(images: Any, changes: list[list[int]], shift: int) -> Any:
    return np.asarray(_moved(images.astype(np.float32), np.array(changes, np.int32), shift))


def test_signals_move_along_their_length_alone() -> None:
    signals = np.arange(12.0).reshape(2, 6, 1, 1)
    done = moved(signals, [[4, 0, 0], [0, 4, 1]], shift=2)
    assert done[0].ravel().tolist() == [2, 3, 4, 5, 5, 4]
    assert done[1].ravel().tolist() == [7, 6, 6, 7, 8, 9]


def test_images_move_along_both_axes_and_are_mirrored() -> None:
    images = np.arange(18.0).reshape(2, 3, 3, 1)
    done = moved(images, [[1, 1, 0], [2, 1, 1]], shift=1)
    np.testing.assert_array_equal(done[0], images[0])
    np.testing.assert_array_equal(done[1][:2, :, 0], images[1][1:, ::-1, 0])


@pytest.mark.parametrize(
    ("shape", "augment", "message"),
    [
        ((640,), {"flip": True}, r"moves and mirrors images, and samples have the shape \(640,\)"),
        ((20, 3), {"shift": 1}, r"shape \(20, 3\)"),
        ((8, 1, 3), {"shift": 9}, "further than they reach"),
    ],
)
def test_what_cannot_move_is_refused(
    shape: tuple[int, ...], augment: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrainingError, match=message):
        _require_images([shape], Augment.model_validate(augment))
    _require_images([(8, 1, 3)], Augment(shift=8))
