"""Depthwise convolutions, pools and means give the oracle's bytes; outputs may follow inputs."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.targets.mcu.generate import Sources, generate
from edgeflow.targets.mcu.layers.windows import Side, slack
from edgeflow.targets.mcu.settings import Settings
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import SANITIZED, assert_identical
from tests.unit.targets.mcu.nets import Net, Quant

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone

DEPTHWISE: dict[str, dict[str, Any]] = {
    "strides": {"stride": 2, "activation": "RELU6"},
    "sides": {"kernel": (5, 1), "stride": (1, 3), "per_channel": False},
    "dilation": {"dilation": (2, 3), "padding": "VALID", "activation": "RELU_N1_TO_1"},
    "multiplier": {"multiplier": 3, "kernel": (2, 3)},
    "multiplier and dilation": {"multiplier": 5, "dilation": 2, "stride": 2},
}

POOLS: dict[str, dict[str, Any]] = {
    "halves": {"activation": "RELU6"},
    "overlap": {"kernel": 3, "stride": 1, "padding": "SAME"},
    "stride beyond kernel": {"kernel": (1, 2), "stride": (3, 4), "activation": "RELU_N1_TO_1"},
    "kernel beyond image": {"kernel": 11, "padding": "SAME", "activation": "RELU"},
}

AXES = [(1, 2), (3,), (1,), (1, 3), (0, 2), (-1, 1, 1), (0, 1, 2, 3)]


@pytest.mark.parametrize("options", DEPTHWISE.values(), ids=DEPTHWISE)
def test_depthwise(options: dict[str, Any]) -> None:
    net = Net(1)
    ends = [nets.depthwise_conv2d(net, net.input((1, 9, 8, n)), **options) for n in (1, 4, 7)]
    assert_identical(net.model(*ends), flags=SANITIZED)


@pytest.mark.parametrize("options", POOLS.values(), ids=POOLS)
def test_pools(options: dict[str, Any]) -> None:
    net = Net(1)
    x = net.input((1, 9, 8, 5))
    pools = nets.average_pool2d(net, x, **options), nets.max_pool2d(net, x, **options)
    assert_identical(net.model(*pools), samples=50, flags=SANITIZED)


@pytest.mark.parametrize("profile", ["tflm", "litert-ref"])
def test_means(profile: Any) -> None:
    net = Net(1)
    x = net.input((1, 7, 6, 5), Quant(0.04, -100))
    ends = []
    for number, axes in enumerate(AXES):
        ends.append(nets.mean(net, x, axes, keep_dims=number % 2 == 0))
        ends.append(nets.mean(net, x, axes, quant=Quant(0.013, 50)))
    assert_identical(net.model(*ends), Settings(profile=profile), 50, flags=SANITIZED)


def sides() -> Iterator[Side]:
    """Yield random sides, with as many windows as SAME and VALID have."""
    random = np.random.default_rng(0)
    while True:
        size, taps, stride, dilation = (int(n) for n in random.integers(1, (10, 6, 5, 4)))
        reach = (taps - 1) * dilation + 1
        same = -(-size // stride)
        pad = max(0, (same - 1) * stride + reach - size) // 2
        yield Side(size=size, outputs=same, taps=taps, stride=stride, dilation=dilation, pad=pad)
        if reach <= size:
            outputs = (size - reach) // stride + 1
            yield Side(
                size=size, outputs=outputs, taps=taps, stride=stride, dilation=dilation, pad=0
            )


def reads(rows: Side, columns: Side) -> Iterator[set[int]]:
    """Yield the places of the input that each window reads, in order."""

    def taps(side: Side, window: int) -> list[int]:
        places = [window * side.stride - side.pad + tap * side.dilation for tap in range(side.taps)]
        return [place for place in places if 0 <= place < side.size]

    for row in range(rows.outputs):
        for column in range(columns.outputs):
            yield {r * columns.size + c for r in taps(rows, row) for c in taps(columns, column)}


def needed(rows: Side, columns: Side, depths: tuple[int, int], by_channel: bool) -> int:
    """Return the smallest distance, by trying: bytes written from 0 on, and then still read."""
    read, written = depths
    steps: list[tuple[set[int], int]] = []  # bytes read, then bytes written in all
    for number, places in enumerate(reads(rows, columns)):
        channels = [[c] for c in range(written)] if by_channel else [list(range(read))]
        for done, some in enumerate(channels, 1):
            end = number * written + (done if by_channel else written)
            steps.append(({place * read + c for place in places for c in some}, end))
    found, later = 0, set[int]()
    for before, end in reversed(steps):
        # A kernel that is not `by_channel` writes channels while it reads for others.
        pending = later if by_channel else later | before
        found = max(found, end - min(pending, default=end))
        later |= before
    return found


@pytest.mark.parametrize("by_channel", [False, True])
def test_slack_is_the_smallest_that_keeps_what_is_still_read(by_channel: bool) -> None:
    some = sides()
    random = np.random.default_rng(1)
    for _ in range(150):
        rows, columns = next(some), next(some)
        read, written = (int(n) for n in random.integers(1, 6, 2))
        depths = (read, read if by_channel else written)
        found = slack(rows, columns, depths, by_channel=by_channel)
        assert found == needed(rows, columns, depths, by_channel), (rows, columns, depths)


def in_place_program(sources: Sources) -> str:
    """Return a program that runs each layer over its own input, and apart, and compares."""
    calls = []
    for number, layer in enumerate(sources.layers):
        (distance,) = layer.slack
        size = sources.graph.tensors[layer.writes[0]].size
        calls.append(
            f"""memcpy(over + {distance}, in, sizeof in);
            {layer.kernel}(&layer{number}, over + {distance}, over);
            {layer.kernel}(&layer{number}, in, apart);
            if (memcmp(over, apart, {size}) != 0) return {number + 1};"""
        )
    source = sources.graph.tensors[sources.graph.inputs[0]].size
    return f"""#include "model.c"
        #include <string.h>
        static int8_t in[{source}], apart[5000], over[9000];
        int main(void) {{
            for (int i = 0; i < {source}; i++) in[i] = (int8_t)(i * 2654435761u >> 24);
            {" ".join(calls)}
            return 0;
        }}"""


def test_layers_write_over_their_inputs(tmp_path: Path) -> None:
    net = Net(2)
    x = net.input((1, 9, 8, 6))
    ends = [
        *(nets.conv2d(net, x, n, stride=s) for n, s in ((4, 1), (9, 2), (11, 1))),
        *(nets.conv2d(net, x, n, 1) for n in (5, 10)),
        *(nets.depthwise_conv2d(net, x, m, stride=s) for m, s in ((1, 1), (1, 2), (2, 1))),
        nets.average_pool2d(net, x),
        nets.max_pool2d(net, x, 3, stride=1, padding="SAME"),
        nets.mean(net, x, (1,)),
        nets.mean(net, x, (3,)),
    ]
    sources = generate(net.model(*ends))
    for name, text in {**sources.files, "main.c": in_place_program(sources)}.items():
        (tmp_path / name).write_text(text)
    subprocess.run(["cc", "-std=c99", *SANITIZED, "main.c"], cwd=tmp_path, check=True)
    ended = subprocess.run([tmp_path / "a.out"])
    assert ended.returncode == 0, f"layer {ended.returncode - 1}"


@pytest.mark.parametrize("keep_dims", [False, True])
def test_maxima_over_axes(keep_dims: bool) -> None:
    net = Net()
    x = net.input((2, 3, 4, 5))
    outputs = [
        nets.reduce_max(net, x, axes, keep_dims=keep_dims)
        for axes in [(1, 2), (3,), (0,), (2, 1, -2), (0, 1, 2, 3)]
    ]
    assert_identical(net.model(*outputs), flags=SANITIZED)
