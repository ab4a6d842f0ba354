"""Vectors of a .tflite of unknown origin: each is checked before it is read."""

from collections.abc import Callable
from typing import Any, TypeVar

from edgeflow.errors import CompileError

LARGEST_BYTES = 32 * 2**20
"""Of a file; more flash than microcontrollers have."""
_READS = 4  # times a byte may be read, as where tables share a vector

Table = TypeVar("Table")


def damaged(what: str) -> CompileError:
    """Return the error for a file that no converter writes."""
    return CompileError(f"the .tflite is damaged: {what}", hint="export it again")


class Reader:
    """Reads vectors whose lengths together cannot exceed what the file can hold.

    In a flatbuffer, many tables may refer to one vector: a file of 10 kB can describe a million
    tensors with a thousand scales each. So what is read is counted.
    """

    def __init__(self, content: bytes) -> None:
        """Begin with `content`, the whole file.

        Raises:
            CompileError: it is no .tflite, or too large.
        """
        if content[4:8] != b"TFL3":
            raise CompileError("the file is no .tflite", hint="give an int8 .tflite")
        if len(content) > LARGEST_BYTES:
            raise CompileError(
                f"the .tflite has {len(content)} bytes, above the limit of {LARGEST_BYTES}",
                hint="choose a smaller network",
            )
        self._left = _READS * len(content)

    def spend(self, size_bytes: int) -> None:
        """Count what is about to be read.

        Raises:
            CompileError: it is more than the file can hold.
        """
        self._left -= size_bytes
        if self._left < 0:
            raise damaged("its vectors are longer than the file")

    def tables(self, length: int, at: Callable[[int], Table]) -> list[Table]:
        """Return the elements of a vector of tables, given its accessors."""
        self.spend(4 * length)
        return [at(index) for index in range(length)]

    def numbers(self, table: Any, field: str) -> tuple[Any, ...]:
        """Return a vector of numbers, empty where it is absent."""
        length = getattr(table, f"{field}Length")()
        self.spend(length)
        return tuple(getattr(table, f"{field}AsNumpy")().tolist()) if length else ()

    def text(self, value: bytes | None) -> str:
        """Return a string, empty where it is absent."""
        self.spend(len(value or b""))
        return (value or b"").decode("utf-8", "replace")

    def options(self, schema: Any, operator: Any) -> tuple[str, dict[str, Any]]:
        """Return the name of an operator's table of options, without `Options`, and its fields."""
        names = {code: name for name, code in vars(schema.BuiltinOptions).items()}
        name = str(names[operator.BuiltinOptionsType()])
        union = operator.BuiltinOptions()
        if name == "NONE" or union is None:
            return "", {}
        table = getattr(schema, name)()
        table.Init(union.Bytes, union.Pos)
        fields = vars(getattr(schema, f"{name}T").InitFromObj(table))
        self.spend(64 + sum(len(value) for value in fields.values() if hasattr(value, "__len__")))
        return name.removesuffix("Options"), fields
