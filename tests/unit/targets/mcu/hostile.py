"""Damaged and hostile .tflite files, and children in which they can do no harm."""

import pickle
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeflow.errors import CompileError
from edgeflow.targets.mcu.generate import Sources, generate
from edgeflow.targets.mcu.oracle import Engine
from edgeflow.targets.mcu.settings import Settings
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import Sample
from tests.unit.targets.mcu.nets import Net, Quant

CPU_S = 20
"""Of one file, after which the child counts as hung; sound files take a hundredth of a second."""
MEMORY_BYTES = 3 * 2**30
"""Address space of a child, with its libraries."""


@dataclass(frozen=True)
class Refused:
    """What a file was refused with."""

    reason: str


@dataclass(frozen=True)
class Died:
    """The child ended: it crashed, hung, or took too much memory."""

    status: int


@dataclass(frozen=True)
class Failed:
    """An exception that is no answer to a file."""

    trace: str


def models() -> list[bytes]:
    """Return sound models that together have all operators of TensorFlow Lite Micro.

    The last alone has those that LiteRT lacks.
    """
    return [_classifier(), _arithmetic(), _moves(), _tables(), _extremes(), _micro_alone()]


def _classifier() -> bytes:
    net = Net(1)
    x = nets.quantize(net, net.input((1, 8, 7, 3), dtype="float32"))
    x = nets.conv2d(net, x, 6, stride=2, activation="RELU6")
    x = nets.depthwise_conv2d(net, x, 2, dilation=2, activation="RELU")
    x = nets.max_pool2d(net, nets.average_pool2d(net, x, 2, stride=1, padding="SAME"))
    x = nets.fully_connected(net, nets.reshape(net, x, (1, 48)), 10, per_channel=True)
    return net.model(nets.dequantize(net, nets.softmax(net, nets.fully_connected(net, x, 4))))


def _arithmetic() -> bytes:
    net = Net(2)
    x, y = net.input((1, 4, 5, 2)), net.input((1, 4, 5, 2))
    total = nets.add(net, x, y, activation="RELU")
    product = nets.mul(net, total, nets.int8_constant(net, (2,)))
    rest = nets.sub(net, product, nets.mean(net, x, keep_dims=True))
    return net.model(nets.mean(net, rest), nets.concatenation(net, [x, nets.relu6(net, x)], 1))


def _moves() -> bytes:
    net = Net(3)
    x = net.input((1, 4, 6, 2))
    x = nets.pad(net, x, [(0, 0), (1, 0), (0, 2), (0, 0)])
    x = nets.pad(net, x, [(0, 0), (0, 1), (1, 0), (0, 0)], -5)
    x = nets.resize_nearest_neighbor(net, x, (7, 8), align_corners=True)
    one, other = nets.split(net, x, 2)
    one = nets.strided_slice(net, one, [0, 6, 0, 0], [1, 0, 8, 1], [1, -2, 2, 1])
    other = nets.squeeze(net, nets.slice_(net, other, [0, 1, 1, 0], [1, 3, -1, 1]), [0])
    parts = nets.split_v(net, nets.transpose(net, other, [1, 0, 2]), [2, -1], 0)
    return net.model(nets.expand_dims(net, one, 1), *parts)


def _tables() -> bytes:
    net = Net(4)
    x = net.input((1, 9))
    y = nets.leaky_relu(net, nets.relu(net, x))
    z = nets.tanh(net, nets.quantize(net, nets.hard_swish(net, y)))
    return net.model(nets.logistic(net, x), z)


def _extremes() -> bytes:
    net = Net(5)
    x, y = net.input((1, 3, 4, 2)), net.input((1, 3, 4, 2))
    z = nets.minimum(net, nets.maximum(net, x, y), nets.int8_constant(net, (2,), Quant(0.04, 3)))
    z = nets.prelu(net, z, nets.int8_constant(net, (1, 1, 2)))
    return net.model(nets.reduce_max(net, z), nets.pack(net, nets.unpack(net, z, 1)[:2], 1))


def _micro_alone() -> bytes:
    net = Net(6)
    return net.model(nets.elu(net, nets.lstm(net, net.input((1, 4, 3)), 2)))


WORDS = [0, 1, 2, 5, 127, 128, 255, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 4]
NUMBERS = [0, 1, -1, 2, 3, 4, 7, 8, 100, 127, 128, -128, 2**15, 2**24, 2**30, 2**31 - 1, -(2**31)]
REALS = [0.0, -1.0, 1.0, 1e-45, 1e-30, 1e-9, 1e9, 1e30, float("inf"), float("-inf"), float("nan")]


def mutations(seed: int) -> Iterator[bytes]:
    """Yield damaged models without an end."""
    random = np.random.default_rng(seed)
    sound = models()
    while True:
        model = sound[random.integers(len(sound))]
        kind = _KINDS[random.integers(len(_KINDS))]
        yield kind(random, model)


Random = np.random.Generator


def _bytes(random: Random, model: bytes) -> bytes:
    """Change some bytes."""
    changed = bytearray(model)
    for _ in range(random.integers(1, 5)):
        changed[random.integers(len(changed))] = random.integers(256)
    return bytes(changed)


def _word(random: Random, model: bytes) -> bytes:
    """Change a length, an offset or a number."""
    changed = bytearray(model)
    place = 4 * int(random.integers(2, len(changed) // 4))
    word = WORDS[random.integers(len(WORDS))]
    changed[place : place + 4] = word.to_bytes(4, "little")
    return bytes(changed)


def _cut(random: Random, model: bytes) -> bytes:
    return model[: random.integers(len(model))]


def _moved(random: Random, model: bytes) -> bytes:
    """Copy a piece over another."""
    changed = bytearray(model)
    size = int(random.integers(4, 40))
    source, target = (int(random.integers(8, len(changed) - size)) for _ in range(2))
    changed[target : target + size] = changed[source : source + size]
    return bytes(changed)


def _field(random: Random, model: bytes) -> bytes:
    """Give fields of tables values that no converter writes."""
    changed = nets.unpacked(model)
    for _ in range(random.integers(1, 3)):
        tables = [one for one in _tables_of(changed) if _fields(one)]
        table = tables[random.integers(len(tables))]
        fields = _fields(table)
        name = fields[random.integers(len(fields))]
        setattr(table, name, _other(random, getattr(table, name)))
    try:
        return nets.packed(changed)
    except Exception:  # the value has no place in this field
        return _word(random, model)


def _tables_of(table: Any) -> list[Any]:
    """Return the tables in a table, with itself."""
    found = [table]
    for value in vars(table).values():
        for one in value if isinstance(value, list) else [value]:
            if hasattr(one, "Pack"):
                found += _tables_of(one)
    return found


def _fields(table: Any) -> list[str]:
    kinds = (int, float, list, np.ndarray)
    return [name for name, value in vars(table).items() if isinstance(value, kinds)]


def _other(random: Random, value: Any) -> Any:
    """Return another value in place of one, or a list that is longer, shorter or changed."""
    if isinstance(value, np.ndarray):
        changed = np.array(_other_list(random, value.tolist()) or [], np.float64)
        if value.dtype.kind == "f":
            return changed.astype(value.dtype)
        return changed.astype(np.int64).astype(value.dtype)  # wraps, as the file would
    if isinstance(value, list):
        return _other_list(random, value)
    pool: list[Any] = REALS if isinstance(value, float) else NUMBERS
    return pool[random.integers(len(pool))]


def _other_list(random: Random, values: list[Any]) -> list[Any] | None:
    way = random.integers(5)
    if way == 0 or not values:
        return None
    place = random.integers(len(values))
    if way == 1:
        return values[:place]
    if way == 2:
        return [*values, values[place]]
    if way == 3 or hasattr(values[0], "Pack"):
        return [values[i] for i in random.permutation(len(values))]
    return [*values[:place], _other(random, values[place]), *values[place + 1 :]]


_KINDS: list[Callable[[Random, bytes], bytes]] = [_bytes, _word, _cut, _moved, *[_field] * 5]


def generated(model: bytes, profile: str) -> Sources | Refused:
    """Generate C; what else than an answer comes of it is the child's failure."""
    try:
        return generate(model, Settings(profile="tflm" if profile == "tflm" else "litert-ref"))
    except CompileError as error:
        return Refused(str(error))


def run(model: bytes, profile: str, samples: Sequence[Sample]) -> list[Sample] | Refused:
    """Run the oracle, which may refuse a file in many ways."""
    try:
        engine = Engine.from_bytes(model, profile)
        return [engine.infer(*sample) for sample in samples]
    except Exception as error:
        return Refused(str(error))


def in_children(task: Callable[..., Any], jobs: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Return what `task` gives for each job, or `Failed`, or `Died`; a new child goes on."""
    results: list[Any] = []
    while len(results) < len(jobs):
        command = [sys.executable, "-m", __name__]
        sent = pickle.dumps((task, jobs[len(results) :]))
        done = subprocess.run(command, input=sent, capture_output=True)
        results += _unpickled(done.stdout)
        if len(results) < len(jobs):
            assert done.returncode, done.stderr.decode()
            results.append(Died(done.returncode))
    return results


def _unpickled(received: bytes) -> Iterator[Any]:
    import io

    stream = io.BytesIO(received)
    while stream.tell() < len(received):
        try:
            yield pickle.load(stream)
        except (EOFError, pickle.UnpicklingError):
            return  # it died while it wrote


def main() -> None:
    """Do the jobs that come on standard input."""
    out = sys.stdout.buffer
    task, jobs = pickle.load(sys.stdin.buffer)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for job in jobs:
        signal.setitimer(signal.ITIMER_VIRTUAL, CPU_S)
        try:
            result = task(*job)
        except Exception:
            result = Failed(traceback.format_exc())
        pickle.dump(result, out)
        out.flush()


if __name__ == "__main__":
    # Under the name by which the parent pickles what is its.
    from tests.unit.targets.mcu import hostile

    hostile.main()
