"""Reads what a network does, step by step, from the compiler's last form before its own bytecode.

For a network of fixed shapes that form (`iree-compile --compile-to=hal`, in MLIR's generic syntax)
is one function without a branch: buffers of constant sizes, and commands on them in a fixed order.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .refusal import Refusal

DTYPES = {
    **{"f64": "float64", "f32": "float32", "f16": "float16"},
    **{"i64": "int64", "i32": "int32", "i16": "int16", "i8": "int8", "i1": "bool"},
    **{"ui64": "uint64", "ui32": "uint32", "ui16": "uint16", "ui8": "uint8"},
    **{"si64": "int64", "si32": "int32", "si16": "int16", "si8": "int8"},
}
"""Names of numpy by those of MLIR."""

_OPERATION = re.compile(r'^\s*(?:(%\d+)(?::\d+)? = )?"([\w.]+)"\(([^)]*)\)(?: <\{(.*?)\}>)?(.*)$')
_ENTRY = re.compile(r'^  "util\.func"\(\).*sym_name = "[^"]*\$async"')
_INTEGER = re.compile(r"value = (-?\d+|true|false)(?: :|$)")


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of MLIR's generic syntax."""

    result: str
    name: str
    operands: tuple[str, ...]
    attributes: str
    types: str


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a buffer: ``input0``, ``scratch1``, or a global of the compiler's."""

    buffer: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Fill:
    """Fill a span with a pattern of `width` bytes."""

    target: Span
    pattern: int
    width: int


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy a span to one of the same length."""

    source: Span
    target: Span


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Call a kernel once for each workgroup."""

    kernel: str
    workgroups: tuple[int, int, int]
    constants: tuple[int, ...]
    bindings: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output: where it lies, and how it is to be read."""

    span: Span
    dtype: str
    shape: tuple[int, ...]


@dataclass(slots=True)
class Schedule:
    """What a network does.

    Attributes:
        inputs: of the network, each in a buffer of its own.
        outputs: of the network; several may lie in one buffer.
        scratch: sizes in bytes of the buffers that one inference needs, by name.
        steps: in order.
    """

    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    scratch: dict[str, int] = field(default_factory=dict)
    steps: list[Fill | Copy | Dispatch] = field(default_factory=list)

    def globals(self) -> list[str]:
        """Return the names of the compiler's globals that are read, sorted."""
        own = {*self.scratch, *(tensor.span.buffer for tensor in self.inputs)}
        return sorted({span.buffer for step in self.steps for span in _spans(step)} - own)


def _spans(step: Fill | Copy | Dispatch) -> Sequence[Span]:
    if isinstance(step, Dispatch):
        return step.bindings
    return (step.target,) if isinstance(step, Fill) else (step.source, step.target)


def read_schedule(text: str) -> Schedule:
    """Return what the network's function does.

    Args:
        text: of the compiler, in MLIR's generic syntax.

    Raises:
        Refusal: the function has a step that is decided at run time.
    """
    return _Reader().read(_entry(text))


def operations(text: str) -> Iterator[Operation]:
    """Yield the operations of a text that stand in one line."""
    for line in text.splitlines():
        found = _OPERATION.match(line)
        if found:
            result, name, operands, attributes, types = found.groups()
            listed = tuple(filter(None, operands.split(", ")))
            yield Operation(result or "", name, listed, attributes or "", types)


def _entry(text: str) -> str:
    """Return the lines of the function that does the work."""
    lines = text.splitlines()
    for start, line in enumerate(lines):
        if _ENTRY.match(line):
            end = lines.index(next(one for one in lines[start:] if one.startswith("  })")), start)
            return "\n".join(lines[start + 1 : end])
    raise Refusal("the compiler's form has no function that runs the network", _OTHER)


_OTHER = "use the version of IREE that the lock names"
_IGNORED = frozenset(
    {"hal.buffer.assert", "hal.device.allocator", "hal.encoding_type", "hal.memory_type"}
    | {"hal.buffer_usage", "hal.fence.create", "hal.fence.join", "hal.device.queue.dealloca"}
    | {"hal.fence.signal", "hal.fence.await", "hal.device.queue.barrier", "util.null"}
    | {"util.status.check_ok"}
    | {"hal.command_buffer.execution_barrier", "hal.command_buffer.finalize"}
)
"""What orders work or checks the caller: the steps run one after the other, on buffers of ours."""


class _Reader:
    """Follows the values of one function; what is no plain number, buffer or command is refused."""

    def __init__(self) -> None:
        self._schedule = Schedule()
        self._values: dict[str, Any] = {}
        self._recorded: dict[str, list[Fill | Copy | Dispatch]] = {}
        self._rules: dict[str, Callable[[Operation], Any]] = {
            "arith.constant": _integer,
            "util.global.load": lambda one: _named(one, r"global = @([^,]+)"),
            "util.return": self._return,
            "hal.element_type": lambda one: _named(one, r"type = (\w+)"),
            "hal.executable.lookup.function": lambda one: _named(one, r"entry_point = .*::@(.+)"),
            "hal.buffer_view.assert": self._input,
            "hal.buffer_view.buffer": lambda one: self._known(one.operands[0]),
            "hal.buffer_view.create": self._view,
            "hal.command_buffer.create": self._record,
            "hal.command_buffer.fill_buffer": self._fill,
            "hal.command_buffer.copy_buffer": self._copy,
            "hal.command_buffer.dispatch": self._dispatch,
            "hal.device.queue.alloca": self._allocate,
            "hal.device.queue.copy": self._copy_at_once,
            "hal.device.queue.fill": self._fill_at_once,
            "hal.device.queue.execute": self._execute,
        }

    def read(self, body: str) -> Schedule:
        for one in operations(body):
            if one.name in _IGNORED:
                continue
            rule = self._rules.get(one.name)
            if rule is None:
                raise Refusal(
                    f"the network's function has {one.name}, which is no fixed step",
                    "give the network static shapes, without loops or branches",
                )
            self._values[one.result] = rule(one)
        return self._schedule

    def _numbers(self, names: Sequence[str]) -> tuple[int, ...]:
        found = tuple(self._values.get(name) for name in names)
        if not all(isinstance(value, int) for value in found):
            raise Refusal(
                "a size or a number of the network is known at run time only",
                "give the network static shapes",
            )
        return found  # type: ignore[return-value]

    def _known(self, name: str) -> Any:
        """Return a value; an input that is given on as it came has none."""
        if name not in self._values:
            raise Refusal("an output is an input as it came", "give the network no such output")
        return self._values[name]

    def _span(self, buffer: str, offset: str, length: str) -> Span:
        return Span(self._known(buffer), *self._numbers((offset, length)))

    def _input(self, one: Operation) -> None:
        view, dtype, _, *sizes = one.operands
        shape, name = self._numbers(sizes), f"input{len(self._schedule.inputs)}"
        dtype = DTYPES[self._values[dtype]]
        span = Span(name, 0, size_bytes(dtype, shape))
        self._schedule.inputs.append(Tensor(span, dtype, shape))
        self._values[view] = name

    def _view(self, one: Operation) -> Tensor:
        buffer, offset, length, dtype, _, *sizes = one.operands
        span = self._span(buffer, offset, length)
        return Tensor(span, DTYPES[self._values[dtype]], self._numbers(sizes))

    def _return(self, one: Operation) -> None:
        self._schedule.outputs.extend(self._known(name) for name in one.operands)

    def _allocate(self, one: Operation) -> str:
        name = f"scratch{len(self._schedule.scratch)}"
        (self._schedule.scratch[name],) = self._numbers(one.operands[7:])
        return name

    def _record(self, one: Operation) -> str:
        self._recorded[one.result] = []
        return one.result

    def _execute(self, one: Operation) -> None:
        for name in one.operands[4:]:
            self._schedule.steps.extend(self._recorded[name])

    def _fill(self, one: Operation) -> None:
        commands, *place = one.operands
        self._recorded[commands].append(self._filled(place, one.types))

    def _fill_at_once(self, one: Operation) -> None:
        self._schedule.steps.append(self._filled(one.operands[4:], one.types))

    def _filled(self, operands: Sequence[str], types: str) -> Fill:
        *place, pattern = operands
        (value,) = self._numbers((pattern,))
        width = int(types.partition(")")[0].rpartition("i")[2]) // 8
        return Fill(self._span(*place), value & (1 << 8 * width) - 1, width)

    def _copy(self, one: Operation) -> None:
        commands, *places = one.operands
        self._recorded[commands].append(self._copied(places))

    def _copy_at_once(self, one: Operation) -> None:
        self._schedule.steps.append(self._copied(one.operands[4:]))

    def _copied(self, operands: Sequence[str]) -> Copy:
        source, source_offset, target, target_offset, length = operands
        return Copy(
            self._span(source, source_offset, length), self._span(target, target_offset, length)
        )

    def _dispatch(self, one: Operation) -> None:
        sizes = re.search(r"operandSegmentSizes = array<i32: ([\d, ]+)>", one.attributes)
        if sizes is None:
            raise Refusal("a command of the compiler cannot be read", _OTHER)
        rest, parts = list(one.operands), []
        for size in map(int, sizes[1].split(", ")):
            parts.append(rest[:size])
            del rest[:size]
        (commands,), _, (kernel,), *grid, constants, buffers, offsets, lengths = parts
        places = zip(buffers, offsets, lengths, strict=True)
        x, y, z = self._numbers([name for axis in grid for name in axis])
        step = Dispatch(
            self._values[kernel],
            (x, y, z),
            tuple(value & 0xFFFFFFFF for value in self._numbers(constants)),
            tuple(self._span(*place) for place in places),
        )
        self._recorded[commands].append(step)


def _integer(one: Operation) -> int | None:
    found = _INTEGER.search(one.attributes)
    if found is None:
        return None
    return {"true": 1, "false": 0}.get(found[1]) if found[1].isalpha() else int(found[1])


def _named(one: Operation, pattern: str) -> str:
    found = re.search(pattern, one.attributes)
    return found[1].strip('"') if found else ""


def size_bytes(dtype: str, shape: Sequence[int]) -> int:
    """Return how many bytes a tensor takes, without gaps."""
    import numpy as np

    size = np.dtype(dtype).itemsize
    for length in shape:
        size *= length
    return size
