"""Files of outputs that a device might send."""

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeflow.deploy.outputs import read_outputs
from edgeflow.errors import DeployError

GOOD = np.arange(12, dtype=np.int8).reshape(4, 3)


def saved(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def read(path: Path, data: bytes, dtype: str = "int8") -> Any:
    path.write_bytes(data)
    return read_outputs(path, (4, 3), dtype, device="pi", model="net")


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def test_outputs_as_asked(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(tmp_path / "o", saved(GOOD)), GOOD)


BAD: dict[str, tuple[bytes, str]] = {
    "a row": (saved(GOOD[:1]), r"\(1, 3\) of int8"),
    "a column": (saved(GOOD[:, :1]), r"\(4, 1\) of int8"),
    "one more axis": (saved(GOOD[None]), r"\(1, 4, 3\)"),
    "another type": (saved(GOOD.astype(np.uint8)), "of uint8"),
    "other bytes' order": (saved(GOOD.astype(">i2")), "of >i2"),
    "Fortran's order": (saved(np.asfortranarray(GOOD)), "Fortran"),
    "a cut end": (saved(GOOD)[:-1], "in 11 bytes"),
    "more at the end": (saved(GOOD) + b"x", "in 13 bytes"),
    "a pickle": (saved(np.array([{}], dtype=object), allow_pickle=True), "of object"),
    "a structure": (saved(np.zeros((4, 3), "i1,i1")), "instead of"),
    "a huge claim": (
        header("{'descr': '|i1', 'fortran_order': False, 'shape': (10**18, 3), }\n"),
        "no .npy file",
    ),
    "a huge array": (
        header(f"{{'descr': '|i1', 'fortran_order': False, 'shape': ({10**18}, 3), }}\n"),
        f"{10**18}, 3",
    ),
    "a huge header": (header("{" + " " * 60_000 + "}"), "no .npy file"),
    "a deep header": (header("(" * 3000), "no .npy file"),
    "code": (header("__import__('os').abort()"), "no .npy file"),
    "an archive": (b"PK\3\4" + bytes(60), "no .npy file"),
    "nothing": (b"", "no .npy file"),
}


@pytest.mark.parametrize(("data", "said"), BAD.values(), ids=BAD)
def test_other_files_are_refused(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(DeployError, match=f"net on device pi.*malformed.*{said}") as caught:
        read(tmp_path / "o", data)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    array = GOOD.astype(np.float32)
    array[2, 1] = value
    with pytest.raises(DeployError, match="net answers on device pi with values that are no fin"):
        read(tmp_path / "o", saved(array), "float32")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_bytes_raise_anything_else(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    good = bytearray(saved(GOOD))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "fuzzed.npy"
    with contextlib.suppress(DeployError):
        assert read(path, bytes(good[: data.draw(st.integers(0, len(good)))])).shape == (4, 3)
