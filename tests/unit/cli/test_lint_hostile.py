"""Damaged and hostile files given to `edgeflow lint`: an answer or a clear refusal, soon."""

import random
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.errors import EdgeflowError
from edgeflow.targets import registry
from edgeflow.targets.base import Target
from edgeflow.targets.coverage import cover
from tests.unit.targets.edgetpu.net import Net

WORDS = (0, 1, 2, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
TARGETS: list[tuple[type[Target], dict[str, Any]]] = [
    *((registry.get(kind), {}) for kind in ("edgetpu", "litert", "openvino")),
    (registry.get("mcu"), {"board": "microbit"}),
]


@pytest.fixture
def bounded() -> Iterator[None]:
    """Limit the process's memory to a gigabyte above what it has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def answered(model: Path) -> int:
    """Ask each target about a file; return how many take it for a model."""
    count = 0
    for cls, options in TARGETS:
        try:
            parsed = cls.Options.model_validate({"kind": cls.name, **options})
            found = cover(cls, model, parsed)
            assert all(isinstance(one.reason, str) for one in found.operators)
            count += 1
        except EdgeflowError:
            pass
    return count


def sound(folder: Path) -> bytes:
    """Return a model with operators of many rules."""
    net = Net(1, 8, 8, 4)
    data = net.conv(net.input, 1, 8, 8, 8)
    data = net.add("PAD", [data, net.constant([[0, 0], [1, 1], [1, 1], [0, 0]])], 1, 10, 10, 8)
    data = net.add("RESIZE_BILINEAR", [data, net.constant([20, 20])], 1, 20, 20, 8)
    data = net.add("MEAN", [data, net.constant([1, 2])], 1, 8)
    data = net.add("RESHAPE", [data, net.constant([1, 4, 2])], 1, 4, 2)
    data = net.add("CONCATENATION", [data, net.weights(1, 4, 2)], 1, 4, 4, axis=2)
    net.node("SPLIT", [net.constant(2), data], [net.tensor(1, 4, 2), net.tensor(1, 4, 2)])
    net.add("Own", [data], 1, 4, 4)
    return net.write(folder / "sound.tflite").read_bytes()


def test_damaged_files_are_answered_or_refused(tmp_path: Path, bounded: None) -> None:
    content, rng, taken = sound(tmp_path), random.Random(1), 0
    for number in range(200):
        changed = bytearray(content)
        for _ in range(rng.randint(1, 3)):
            place = 4 * rng.randrange(2, len(content) // 4)
            word = rng.choice((*WORDS, rng.randrange(len(content))))
            changed[place : place + 4] = word.to_bytes(4, "little")
        model = tmp_path / f"{number}.tflite"
        model.write_bytes(changed if number % 4 else content[: rng.randrange(len(content))])
        taken += answered(model)
    assert 0 < taken < 200 * len(TARGETS)


def repeated(path: Path, count: int, name_bytes: int, rank: int) -> Path:
    """Write a model whose many tensors are one table."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    builder = flatbuffers.Builder(1024)
    name = builder.CreateString("n" * name_bytes)
    shape = builder.CreateNumpyVector(np.full(rank, 2**31 - 1, "int32"))
    schema.TensorStart(builder)
    schema.TensorAddName(builder, name)
    schema.TensorAddShape(builder, shape)
    tensor = schema.TensorEnd(builder)
    schema.SubGraphStartTensorsVector(builder, count)
    for _ in range(count):
        builder.PrependUOffsetTRelative(tensor)
    tensors = builder.EndVector()
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    graph = schema.SubGraphEnd(builder)
    schema.ModelStartSubgraphsVector(builder, 1)
    builder.PrependUOffsetTRelative(graph)
    graphs = builder.EndVector()
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, graphs)
    builder.Finish(schema.ModelEnd(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


@pytest.mark.parametrize(
    ("count", "name_bytes", "rank"),
    [(600_000, 1, 1), (20_000, 20_000, 1), (1_000, 1, 100_000)],
    ids=["tensors", "names", "dimensions"],
)
def test_a_small_file_cannot_describe_a_huge_network(
    count: int, name_bytes: int, rank: int, tmp_path: Path, bounded: None
) -> None:
    assert answered(repeated(tmp_path / "huge.tflite", count, name_bytes, rank)) == 0
