import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edgeflow.compress.evaluate import dequantized, quantized

SCALES = st.floats(2**-10, 2.0, width=32)
ZEROS = st.integers(-128, 127)
Q = hnp.arrays(np.int8, hnp.array_shapes(max_dims=3, max_side=5))


@given(values=Q, scale=SCALES, zero=ZEROS)
def test_quantizing_undoes_dequantizing(values: np.ndarray, scale: float, zero: int) -> None:
    details = {"dtype": np.int8, "quantization": (scale, zero)}
    floats = dequantized(values, details)
    assert floats.dtype == np.float32
    np.testing.assert_array_equal(quantized(floats, details), values)


@given(
    values=hnp.arrays(np.float32, 20, elements=st.floats(-100, 100, width=32)),
    scale=SCALES,
    zero=ZEROS,
)
def test_a_value_in_range_moves_half_a_step_at_most(
    values: np.ndarray, scale: float, zero: int
) -> None:
    details = {"dtype": np.int8, "quantization": (scale, zero)}
    steps = quantized(values, details)
    low, high = dequantized(np.array([-128, 127], np.int8), details)
    back = dequantized(steps, details)
    inside = (values >= low) & (values <= high)
    assert np.all(np.abs(back - values)[inside] <= scale * 0.5 + 1e-4)
    assert np.all(steps[values > high + scale] == 127)
    assert np.all(steps[values < low - scale] == -128)


@given(values=hnp.arrays(np.float32, 5, elements=st.floats(width=32, allow_nan=False)))
def test_floats_pass_as_they_are(values: np.ndarray) -> None:
    details = {"dtype": np.float32, "quantization": (0.0, 0)}
    np.testing.assert_array_equal(quantized(values, details), values)
    np.testing.assert_array_equal(dequantized(values, details), values)
