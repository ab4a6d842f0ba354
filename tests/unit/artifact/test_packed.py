import random
from pathlib import Path

import zstandard

from edgeflow.artifact.packed import packed, packed_path, packed_size

NOISE = random.Random(7)


def floats(values: int) -> bytes:
    """Return 100,000 weights of 4 bytes, taken from so many values."""
    table = [NOISE.randbytes(4) for _ in range(values)]
    return b"".join(NOISE.choices(table, k=100_000))


def test_a_frame_holds_the_data_and_states_its_size() -> None:
    data = floats(16)
    frame = packed(data)
    assert zstandard.frame_content_size(frame) == len(data)
    assert zstandard.decompress(frame) == data
    assert packed_size(data) == len(frame)


def test_equal_data_give_equal_frames() -> None:
    data = floats(16)
    assert packed(data) == packed(bytes(bytearray(data)))


def test_shared_weights_show_in_the_packed_size_alone() -> None:
    # 16 values need 4 of 32 bits each.
    assert packed_size(floats(16)) < 0.2 * packed_size(NOISE.randbytes(400_000))


def test_a_device_needs_no_more_than_8_mib_to_unpack() -> None:
    parameters = zstandard.get_frame_parameters(packed(bytes(20 << 20)))
    assert parameters.window_size == 8 << 20


def test_the_packed_form_lies_beside_the_file() -> None:
    assert packed_path(Path("a/bundle.tar")) == Path("a/bundle.tar.zst")
