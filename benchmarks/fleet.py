"""Rollouts: to 200 virtual devices with four that do not answer, and to many that are simulated."""

import hashlib
import json
import multiprocessing
import os
import resource
import socket
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from pathlib import Path

from benchmarks.count import Count, update_counts
from benchmarks.table import PAGE
from edgeflow.artifact.hashing import sha256_file
from edgeflow.bundle.archive import write_tar
from edgeflow.config.device import SshDevice
from edgeflow.fleet.campaign import run_rollout
from edgeflow.fleet.outcome import Outcome
from edgeflow.fleet.over_ssh import Model, SshUnit
from edgeflow.fleet.result import RolloutResult
from edgeflow.fleet.spec import RolloutSpec
from edgeflow.fleet.unit import Report, Seen
from edgeflow.remote.virtual import start
from edgeflow.remote.virtual.layout import Address, DeviceFolder
from edgeflow.testing.virtual_devices import stop_devices

DEVICES, TIMEOUT_S = 200, 10.0
DEAD, BLACK_HOLE = (0.025, 0.6, 0.9), 0.3
"""Where in the fleet they are, as shares of it."""
SIMULATED = (100, 1_000, 10_000)
RUNNER = b"""import numpy as np
print('{"passed": true, "max_abs": {"output": %g}}' % np.abs(np.zeros(2)).max())
"""
OUTPUT = {
    "name": "output", "shape": [1, 2], "dtype": "int8", "scale": 1.0, "zero_point": 0,
    "tolerance": 0.0,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What a rollout took in a process of its own."""

    seconds: float
    cpu_s: float
    peak_bytes: float


def rollouts(repeats: int) -> list[Count]:
    """Measure both, and write the table in docs/performance.md."""
    counts = [*simulated(), *over_ssh(repeats)]
    update_counts(counts, PAGE, "rollouts", "fleet")
    return counts


def simulated() -> Iterator[Count]:
    """Yield CPU and memory for each device of fleets in this process; neither may grow."""
    took = {count: _apart(_simulate, count) for count in SIMULATED}
    figures = {
        ("CPU for each device", "µs"): {it: took[it].cpu_s * 1e6 / it for it in SIMULATED},
        ("memory for each device", "bytes"): {it: took[it].peak_bytes / it for it in SIMULATED},
    }
    for (what, unit), found in figures.items():
        first, *others = SIMULATED
        yield Count(name=_title(first), what=what, value=found[first], unit=unit)
        for count in others:
            yield Count(
                name=_title(count),
                what=what,
                value=found[count],
                unit=unit,
                target=1.2,
                against=_title(first),
                baseline=found[first],
            )


def _title(count: int) -> str:
    return f"{count:,} simulated devices"


def over_ssh(repeats: int, devices: int = DEVICES) -> Iterator[Count]:
    """Yield time and memory of a rollout to virtual devices, and to those of them that answer."""
    own, other = [], []
    for number in range(repeats):
        own.append(_on_new_devices(devices, number, with_bad=True))
        other.append(_on_new_devices(devices, number, with_bad=False))
    bad = len(DEAD) + 1
    title = f"{devices} virtual devices over SSH, {len(DEAD)} dead and 1 black-holed"
    best, base = (min(taken, key=lambda it: it.seconds) for taken in (own, other))
    yield Count(
        name=title,
        what=f"time beyond one timeout of {TIMEOUT_S:g} s",
        value=best.seconds - TIMEOUT_S,
        unit="s",
        target=1.2,
        against=f"without these {bad}",
        baseline=base.seconds,
    )
    for what, unit, mine, theirs in (
        ("time", "s", best.seconds, base.seconds),
        ("CPU of the host", "s", best.cpu_s, base.cpu_s),
        ("peak memory", "MB", best.peak_bytes / 1e6, base.peak_bytes / 1e6),
    ):
        against = f"without these {bad}"
        yield Count(name=title, what=what, value=mine, unit=unit, against=against, baseline=theirs)


def _on_new_devices(devices: int, number: int, *, with_bad: bool) -> Taken:
    with tempfile.TemporaryDirectory(prefix="edgeflow-bench-", dir="/var/tmp") as name:
        try:
            return _apart(_roll_out, Path(name), devices, number, with_bad)
        finally:
            stop_devices(Path(name))


def _apart(run: Callable[..., Taken], *arguments: object) -> Taken:
    """Run in a fresh process: peak memory is that of all that it ever did."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(run, *arguments).result()


def _spec(sha256: str, **changes: object) -> RolloutSpec:
    given: dict[str, object] = {"name": "bench", "model": "net", "max_unreachable": 0.25, **changes}
    return RolloutSpec(bundle_sha256=sha256, **given)  # type: ignore[arg-type]


@dataclass(slots=True)
class Simulated:
    """A device that confirms at once."""

    name: str
    address: str = "here"
    sha256: str = "1" * 64

    def look(self) -> Seen:
        """Say that it serves."""
        return Seen(current=self.sha256)

    def go_back(self, reason: str) -> bool:  # noqa: ARG002
        """Say that it did not serve the bundle."""
        return False

    def deploy(self, report: Report) -> Outcome:
        """Confirm."""
        report("switching")
        return Outcome(result="confirmed", sent_bytes=1000)


def _simulate(count: int) -> Taken:
    """Roll out to simulated devices: once for the memory, which is counted, and for the time."""
    units = [Simulated(f"device-{number:05d}") for number in range(count)]
    tracemalloc.start()
    _run(_spec("1" * 64, soak_s=0.001), units)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    began = time.monotonic(), time.process_time()
    _run(_spec("1" * 64, soak_s=0.001), units)
    cpu_s = time.process_time() - began[1]
    return Taken(seconds=time.monotonic() - began[0], cpu_s=cpu_s, peak_bytes=peak_bytes)


def _run(spec: RolloutSpec, units: list[Simulated] | list[SshUnit]) -> RolloutResult:
    """Roll out from nothing, with what is said of each device going to a log."""
    with (
        tempfile.TemporaryDirectory() as name,
        (Path(name) / "log").open("w") as log,
        redirect_stderr(log),
    ):
        return run_rollout(spec, units, Path(name) / "state.jsonl", bool)


def _roll_out(folder: Path, devices: int, number: int, with_bad: bool) -> Taken:
    os.chdir(folder)
    bundle = _bundle(folder, number)
    model = Model(name="net", bundle=bundle, sha256=sha256_file(bundle))
    addresses = _served(devices)
    with _no_answer() as (closed, silent):
        ports = {**dict.fromkeys(DEAD, closed), BLACK_HOLE: silent}
        bad = {1 + int(share * devices): port for share, port in ports.items()}
        units = [
            SshUnit(f"d{place}", _device(address, bad.get(place)), model)
            for place, address in enumerate(addresses)
            if with_bad or place not in bad
        ]
        began = time.monotonic(), time.process_time()
        result = _run(_spec(model.sha256), units)
    seconds, cpu_s = time.monotonic() - began[0], time.process_time() - began[1]
    _require(result, confirmed=devices - len(bad), unreachable=len(bad) if with_bad else 0)
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Taken(seconds=seconds, cpu_s=cpu_s, peak_bytes=peak_kib * 1024)


def _require(result: RolloutResult, **counts: int) -> None:
    found = {name: count for name, count in result.counts.items() if count}
    if found != {name: count for name, count in counts.items() if count}:
        raise RuntimeError(f"{found}, expected {counts}: {[*result.outcomes.values()][:3]}")


def _served(devices: int) -> list[Address]:
    """Return the addresses of virtual devices, all asked for before the first is waited for."""
    state = start.STATE.absolute()
    for number in range(devices):
        path = state / f"d{number}"
        path.mkdir(parents=True, exist_ok=True)
        DeviceFolder(path).request(Path(sys.executable))
    return [start.ensure(f"d{number}", Path(sys.executable)) for number in range(devices)]


def _device(address: Address, port: int | None) -> SshDevice:
    return SshDevice(
        transport="ssh", target="any", host=address.host, port=port or address.port,
        user=address.user, host_key=address.host_key, identity=str(address.identity),
        timeout_s=TIMEOUT_S,
    )  # fmt: skip


@contextmanager
def _no_answer() -> Iterator[tuple[int, int]]:
    """Yield a port that refuses, and one that lets in and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port: int = closed.getsockname()[1]
        yield port, silent.getsockname()[1]


def _bundle(folder: Path, number: int) -> Path:
    """Write a bundle of a model that computes nothing, with numpy."""
    members = {"runner.py": RUNNER, "data/model.bin": b"%d" % number}
    manifest = {
        "format": 1, "target": {"kind": "litert"}, "model": "net", "recipe": "int8",
        "quantize": "ptq-int8", "labels": ["a", "b"], "engine_options": {},
        "io": {"inputs": [], "outputs": [OUTPUT]}, "decoding": {},
        "meaning": {"task": "classification"}, "bit_exact": True,
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
            for name, data in members.items()
        },
    }  # fmt: skip
    path = folder / f"{number}.tar"
    write_tar(path, {"manifest.json": json.dumps(manifest).encode(), **members})
    return path
