"""Runs a bundle's model on the device: its golden vectors, test data to measure, or samples.

Standard library, numpy and one engine; Python 3.7 or newer; imports nothing of edgeflow.
Prints one JSON object on standard output. ``serve`` is handed over to ``service.py``.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import importlib
import itertools
import json
import os
import platform
import sys
import time
from typing import IO, Any, Callable

# sysexits.h: what the program needs is not there.
EX_UNAVAILABLE = 69


try:
    import numpy as np
except ImportError as missing:
    print(json.dumps({"missing": str(missing)}))
    sys.exit(EX_UNAVAILABLE)

if __package__:
    from . import release  # noqa: TID252  # what is shipped names no package of ours
else:  # in a bundle, whose modules lie side by side
    import release  # type: ignore[import-not-found,no-redef]

HERE = os.path.dirname(os.path.abspath(__file__))


def machine() -> Any:
    """Return the module beside this one that says what the machine is."""
    return importlib.import_module("facts")


def stored(samples: Any, manifest: dict[str, Any]) -> list[Any]:
    """Return the inputs of stored samples: a plain array is one, else the fields are."""
    names = [tensor["name"] for tensor in manifest["io"]["inputs"]]
    return [samples[name] for name in names] if samples.dtype.names else [samples]


# What is handed to an engine at once must fit into a small device's memory.
MANY_BYTES = 16 << 20


def run_all(engine: Any, samples: list[Any], manifest: dict[str, Any]) -> list[Any]:
    """Return the model's raw outputs for samples, (n, *shape) of each.

    It is one inference each, or as many at once as fit where the engine has `infer_many`.
    """
    many = hasattr(engine, "infer_many")
    run = engine.infer_many if many else engine.infer
    floats_bytes = sum(4 * array[:1].size for array in samples)
    step = max(1, MANY_BYTES // floats_bytes) if many else 1
    every = [
        release.listed(run(*release.to_inputs(release.rows(samples, row, row + step), manifest)))
        for row in range(0, len(samples[0]), step)
    ]
    return [np.concatenate([one[place] for one in every]) for place in range(len(every[0]))]


def load_golden(axis: str, tensors: list[dict[str, Any]]) -> list[Any]:
    """Return the golden vectors of the model's inputs (``x``) or outputs (``y``)."""
    paths = [os.path.join(HERE, "golden_" + axis, one["name"] + ".npy") for one in tensors]
    return [np.load(path, allow_pickle=False) for path in paths]


def worst_difference(actual: Any, expected: Any, tensor: dict[str, Any]) -> float:
    """Return the largest difference of an output, in units of the dequantized one."""
    if (actual.shape, actual.dtype) != (expected.shape, expected.dtype):
        sys.exit(
            "golden vectors of %s are %s %s here, the host's are %s %s"
            % (tensor["name"], actual.dtype, actual.shape, expected.dtype, expected.shape)
        )
    difference = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    return float(difference.max() * (tensor["scale"] or 1.0))


def golden(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the bundle's golden vectors and compare with what the host expects of them."""
    manifest = release.load_manifest(HERE)
    io = manifest["io"]
    expected = load_golden("y", io["outputs"])
    samples = load_golden("x", io["inputs"])
    engine = release.load_engine(HERE, manifest, arguments.unit)
    actual = run_all(engine, samples, manifest)
    if len(actual) != len(expected):
        sys.exit("%d outputs here, the host has %d" % (len(actual), len(expected)))
    worst = {}
    passed = True
    for found, wanted, tensor in zip(actual, expected, io["outputs"]):
        name, tolerance = tensor["name"], float(tensor["tolerance"])
        worst[name] = worst_difference(found, wanted, tensor)
        if not worst[name] <= tolerance:
            passed = False
            text = "golden vectors of %s differ from the host's by %g, allowed are %g"
            print(text % (name, worst[name], tolerance), file=sys.stderr)
    answer = {"passed": passed, "max_abs": worst}
    if arguments.timed and is_model(engine):
        inputs = release.to_inputs(samples, manifest)
        times = latencies(engine, inputs, warmup=1, runs=len(inputs[0]))
        answer.update(latency_ms=float(np.median(times)), peak_rss_mb=peak_rss_mb())
    return answer


def latencies(engine: Any, inputs: list[Any], warmup: int, runs: int) -> list[float]:
    """Return the time of single inferences in ms, the clock running from input to output."""
    count = len(inputs[0])
    for index in range(warmup):
        engine.infer(*release.rows(inputs, index % count, index % count + 1))
    times = []
    for index in range(runs):
        sample = release.rows(inputs, index % count, index % count + 1)
        start = time.perf_counter()
        engine.infer(*sample)
        times.append((time.perf_counter() - start) * 1e3)
    return times


def save_outputs(outputs: list[Any], manifest: dict[str, Any], stem: str) -> dict[str, str]:
    """Write each output to ``STEM.NAME.npy``; return the files' SHA-256 by name of the output."""
    digests = {}
    for array, tensor in zip(outputs, manifest["io"]["outputs"]):
        path = "%s.%s.npy" % (stem, tensor["name"])
        np.save(path, array)
        with open(path, "rb") as file:
            digests[tensor["name"]] = hashlib.sha256(file.read()).hexdigest()
    return digests


def peak_rss_mb() -> float | None:
    """Return the process' own peak of resident memory, in MB of 1e6 bytes.

    Not getrusage: there Linux counts the process that started this one too.
    """
    status = machine().read_text("/proc/self/status") or ""
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return None


def throttle_flags() -> int | None:
    """Return the Raspberry Pi firmware's throttling flags, or None on other boards."""
    text = machine().read_text("/sys/devices/platform/soc/soc:firmware/get_throttled")
    return int(text, 16) if text else None


def temperature_c() -> float | None:
    """Return the temperature of the first thermal zone in degrees Celsius, if there is one."""
    text = machine().read_text("/sys/class/thermal/thermal_zone0/temp")
    return int(text) / 1000 if text and text.lstrip("-").isdigit() else None


def load_1min() -> float | None:
    """Return the mean length of the run queue over a minute, if the system tells it."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def own_conditions(engine: Any) -> dict[str, Any]:
    """Return what the engine says of the hardware that it drives."""
    return dict(engine.conditions()) if hasattr(engine, "conditions") else {}


def conditions(engine: Any) -> dict[str, Any]:
    """Return what the figures were measured under: the host's, and above them the engine's own."""
    own = own_conditions(engine)
    return {
        "cpu": machine().cpu_name(),
        "instruction_sets": machine().instruction_sets(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "engine": engine.version(),
        "governor": machine().read_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "temperature_c": temperature_c(),
        "load_1min": load_1min(),
        **own,
    }


def is_model(engine: Any) -> bool:
    """Return whether this process is what runs the model; not so where an engine drives that."""
    return bool(getattr(engine, "clock", "device") != "none")


ASK_INSTRUCTIONS = 0x65640001  # of prctl; Linux has no such option, a plug-in of QEMU may
COUNTED_RUNS = 5


def instruction_counter() -> Callable[[], int] | None:
    """Return what tells how many instructions this process ran so far; None where nothing does."""
    import ctypes

    ask = ctypes.CDLL(None).prctl
    reader, writer = os.pipe()
    os.set_blocking(reader, False)

    def count() -> int:
        ask(ASK_INSTRUCTIONS, writer, 0, 0, 0)
        return int.from_bytes(os.read(reader, 8), sys.byteorder)

    try:
        count()
    except BlockingIOError:
        return None
    return count


def instructions(engine: Any, inputs: list[Any]) -> dict[str, int]:
    """Return the instructions of one inference, the least of five, where they are counted."""
    count = instruction_counter()
    if count is None:
        return {}
    found = []
    for index in range(COUNTED_RUNS + 1):
        sample = release.rows(inputs, index % len(inputs[0]), index % len(inputs[0]) + 1)
        before = count()
        engine.infer(*sample)
        found.append(count() - before)
    return {"instructions": min(found[1:])}  # the first one also sets things up


def figures(engine: Any) -> dict[str, float]:
    """Return what the engine itself counted, such as instructions, by name."""
    return dict(engine.figures()) if hasattr(engine, "figures") else {}


def pick(record: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the parts of a record that are there."""
    return {name: record[name] for name in names if name in record}


def energy(engine: Any, inputs: list[Any]) -> dict[str, Any] | None:
    """Return what the machine's sensors say of one inference, or None where it has none."""
    samples = itertools.cycle([release.rows(inputs, row, row + 1) for row in range(len(inputs[0]))])
    found: dict[str, Any] | None = importlib.import_module("energy").measure(
        lambda: engine.infer(*next(samples))
    )
    return found


PROFILED_SAMPLES = 50
PROFILED_MS = 2e3
TEXT_CHARACTERS = 200


def layers(engine: Any, inputs: list[Any], times: list[float]) -> list[dict[str, Any]]:
    """Return the mean time of each layer, where the engine has counters for it.

    It runs 50 samples, or as many as take 2 s by the `times` of inferences in ms. Texts are cut:
    the name of a layer may be those of all operators that were fused into it.
    """
    if not hasattr(engine, "profile"):
        return []
    count = int(PROFILED_MS * len(times) / max(sum(times), 1e-9))
    picks = np.arange(max(1, min(PROFILED_SAMPLES, count))) % len(inputs[0])
    return [
        {key: fact[:TEXT_CHARACTERS] if isinstance(fact, str) else fact for key, fact in it.items()}
        for it in engine.profile(*[array[picks] for array in inputs])
    ]


# Firmware bits 0-3: under-voltage, frequency capped, throttled, soft temperature limit.
THROTTLED_NOW = 0b1111
TIMED_SAMPLES = 64


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Load the model, time it, run all samples, and write the raw outputs to a file.

    Without a clock no time and no memory is answered; the engine's own figures are, in any case.
    """
    manifest = release.load_manifest(HERE)
    start = time.perf_counter()
    engine = release.load_engine(HERE, manifest, arguments.unit)
    load_time_ms = (time.perf_counter() - start) * 1e3
    clock = is_model(engine) and not arguments.emulated
    before = conditions(engine)
    samples = stored(np.load(arguments.data, mmap_mode="r", allow_pickle=False), manifest)
    timed = release.to_inputs(release.rows(samples, 0, TIMED_SAMPLES), manifest)
    times = latencies(engine, timed, arguments.warmup, arguments.runs) if clock else []
    spent = (energy(engine, timed) if clock else None) or {}
    ran = instructions(engine, timed) if is_model(engine) and arguments.emulated else {}
    flags = throttle_flags()
    digests = save_outputs(run_all(engine, samples, manifest), manifest, arguments.out)
    counted, peak_mb = figures(engine), peak_rss_mb() if clock else None
    return {
        "load_time_ms": load_time_ms if clock else None,
        "latencies_ms": times,
        "peak_rss_mb": peak_mb,
        "figures": {**pick(spent, "energy_mj"), **ran, **counted},
        # Last, because counters cost time, and perhaps a second copy of the model.
        "layers": layers(engine, timed, times) if clock else [],
        "outputs_sha256": digests,
        "conditions": {
            **before,
            "emulated": arguments.emulated or machine().is_emulated(),
            **own_conditions(engine),  # it may know more once it has run
            "throttled": bool(flags & THROTTLED_NOW) if flags is not None else None,
            "temperature_after_c": temperature_c(),
            **pick(spent, "idle_power_w", "energy_sensors"),
        },
    }


def predict(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run samples one by one, each timed, and write the raw outputs to a file.

    The first one is run before, and not timed. Without a clock no time is answered.
    """
    manifest = release.load_manifest(HERE)
    engine = release.load_engine(HERE, manifest, arguments.unit)
    samples = stored(np.load(arguments.data, allow_pickle=False), manifest)
    if is_model(engine) and not arguments.emulated:
        inputs = release.to_inputs(samples, manifest)
        outputs, times = run_timed(engine, inputs)
    else:
        outputs, times = run_all(engine, samples, manifest), []
    digests = save_outputs(outputs, manifest, arguments.out)
    return {"latencies_ms": times, "outputs_sha256": digests, "engine": engine.version()}


def run_timed(engine: Any, inputs: list[Any]) -> tuple[list[Any], list[float]]:
    """Return the raw outputs of all samples, and the time of each inference in ms."""
    engine.infer(*release.rows(inputs, 0, 1))
    every, times = [], []
    for row in range(len(inputs[0])):
        sample = release.rows(inputs, row, row + 1)
        start = time.perf_counter()
        outputs = engine.infer(*sample)
        times.append((time.perf_counter() - start) * 1e3)
        # A copy: what an engine gives may be its own memory, which the next sample overwrites.
        every.append([np.array(one) for one in release.listed(outputs)])
    return [np.concatenate([one[place] for one in every]) for place in range(len(every[0]))], times


def claim_stdout() -> IO[str]:
    """Keep standard output for the answer: whatever an engine prints goes to standard error."""
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return stream


def parse_arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unit", type=json.loads, default={}, help="for the engine, JSON")
    parser.add_argument("--emulated", action="store_true", help="no time here means anything")
    verbs = parser.add_subparsers(dest="verb", required=True)
    trying = verbs.add_parser("golden")
    trying.add_argument("--timed", action="store_true", help="answer latency and memory too")
    trying.set_defaults(run=golden)
    measuring = verbs.add_parser("measure")
    measuring.add_argument("--data", required=True)
    measuring.add_argument("--out", required=True, help="start of the names of the output files")
    measuring.add_argument("--warmup", type=int, required=True)
    measuring.add_argument("--runs", type=int, required=True)
    measuring.set_defaults(run=measure)
    predicting = verbs.add_parser("predict")
    predicting.add_argument("--data", required=True)
    predicting.add_argument("--out", required=True, help="start of the names of the output files")
    predicting.set_defaults(run=predict)
    return parser.parse_args()


def main(out: IO[str]) -> int:
    """Run the verb of the command line; return 0, or 1 where golden vectors differ."""
    arguments = parse_arguments()
    try:
        result = arguments.run(arguments)
        code = 0 if result.get("passed", True) else 1
    except ImportError as error:  # of the engine, or of a library that it needs
        result, code = {"missing": str(error)}, EX_UNAVAILABLE
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise
        result, code = {"missing": error.strerror, "hardware": True}, EX_UNAVAILABLE
    out.write(json.dumps(result, sort_keys=True) + "\n")
    out.flush()
    return code


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:  # it outlives this release, and needs no numpy
        beside = os.path.join(os.path.realpath(HERE), "service.py")
        os.execv(sys.executable, [sys.executable, "-B", beside, *sys.argv[2:]])  # noqa: S606
    sys.exit(main(claim_stdout()))
