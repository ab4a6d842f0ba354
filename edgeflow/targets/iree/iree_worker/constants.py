"""Weights, from MLIR's text to bytes."""

import re
from typing import TYPE_CHECKING, Any

from .refusal import Refusal
from .schedule import DTYPES

if TYPE_CHECKING:
    import numpy as np

_INITIALIZER = re.compile(r'^  "util\.initializer"\(\).*?^  \}\) : ', re.MULTILINE | re.DOTALL)
_CONSTANT = re.compile(r'"util\.buffer\.constant"\(\) <\{.*?value = (.*?)\}> : \(\)', re.DOTALL)
_STORE = re.compile(r'"util\.global\.store"\(%\d+\) <\{global = @([^}]+)\}> : \(!hal\.buffer\)')
_DENSE = re.compile(r"dense<([^>]*)> : (?:tensor|vector)<((?:\d+x)*)(\w+)>")
_ELSE = re.compile(r"#util\.composite<\d+xi8, \[|[\],>\s]")


def read_constants(text: str) -> dict[str, bytes]:
    """Return the bytes of each of the compiler's globals that holds constants, by its name.

    Args:
        text: of the compiler, in MLIR's generic syntax, all elements in hexadecimal.

    Raises:
        Refusal: the weights have a form that is not known, or are computed when a model is loaded.
    """
    found = {}
    for initializer in _INITIALIZER.findall(text):
        names = [name.strip('"') for name in _STORE.findall(initializer)]
        values = _CONSTANT.findall(initializer)
        if not names:
            continue
        if len(names) != 1 or len(values) != 1:
            raise _unknown(f"{len(values)} constants for {len(names)} buffers")
        found[names[0]] = _bytes(values[0])
    return found


def _bytes(value: str) -> bytes:
    # What is left when all elements that can be read are taken out must be brackets alone.
    left = _ELSE.sub("", _DENSE.sub("", value))
    if left:
        raise _unknown(left)
    return b"".join(_elements(*match) for match in _DENSE.findall(value))


def _elements(literal: str, sizes: str, kind: str) -> bytes:
    if literal.startswith('"0x'):
        return bytes.fromhex(literal[3:-1])
    import numpy as np

    count = 1
    for size in filter(None, sizes.split("x")):
        count *= int(size)
    dtype = DTYPES.get(kind)
    if dtype is None or dtype == "bool":
        raise _unknown(f"elements of {kind}")
    return _scalar(literal, np.dtype(dtype)) * count


def _scalar(literal: str, dtype: "np.dtype[Any]") -> bytes:
    """Return the one value of elements that are all equal, which are never in hexadecimal."""
    import numpy as np

    try:
        if dtype.kind != "f":
            return np.array(int(literal), dtype).tobytes()
        if literal.startswith("0x"):  # a float that is not finite: its bits
            return int(literal, 16).to_bytes(dtype.itemsize, "little")
        return np.array(float(literal), dtype).tobytes()
    except (ValueError, OverflowError) as error:
        raise _unknown(literal) from error


def _unknown(what: str) -> Refusal:
    return Refusal(
        f"the compiler wrote weights in a form that is not known: {what[:80]}",
        "use the version of IREE that the lock names",
    )
