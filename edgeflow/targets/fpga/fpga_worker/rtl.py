"""Makes Verilog of a fixed-point network with da4ml, simulates it, and lets yosys map it."""

import json
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .network import Network, load
from .refusal import Refusal
from .simulation import LIBRARY, build, limits, numbers, run
from .synthesis import mapped

DESCRIPTION, SOURCES = "model.json", "verilog"
SAMPLES = 1000
"""Least number of samples that all forms of the network are compared on."""
COST_MAX = 2_000_000
"""LUTs by da4ml's own count, above which no chip takes the network, and a simulation takes hours
to compile."""


def work(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write verilog/, model.so and model.json beside the network.

    Args:
        job: ``network`` and ``samples``, names of files in the folder (no samples: None),
            ``part``, ``clock_ns``, ``latency_cutoff``, ``compiler`` of C++, ``arch`` of what it
            compiles for, whether the simulation ``runs_here``, yosys' ``family`` of the part, or
            None, and the number of ``operators``.
        folder: with the network, as Keras 3 with HGQ2 saves it, and the samples.

    Returns:
        ``figures``, and what is known beside them.

    Raises:
        Refusal: a tool does not take the network, or one of its forms computes otherwise.
    """
    network = load(folder / job["network"])
    logic = _logic(network)
    low, high = limits(logic.inp_qint, rounds=network.rounds())
    samples = _samples(low, high, folder / job["samples"] if job["samples"] else None)
    expected = network.outputs(samples)
    program = logic.predict(samples, n_threads=1)
    compared = {"program": require_equal("da4ml's fixed-point program", program, expected)}
    with tempfile.TemporaryDirectory() as name:
        pipeline = _write(logic, job, Path(name))
        collect(Path(name) / "src", folder / SOURCES)
    build(pipeline, folder / SOURCES, folder / LIBRARY, job["compiler"])
    if job["runs_here"]:
        simulated = run(pipeline, folder / LIBRARY, samples)
        what = "the Verilog, as Verilator simulates it,"
        compared["simulation"] = require_equal(what, simulated, expected)
    cycles = len(pipeline.solutions) + 1
    ends = {
        "inputs": {**numbers(pipeline.inp_qint), "low": low.tolist(), "high": high.tolist()},
        "outputs": numbers(pipeline.out_qint),
    }
    _describe(job, network, ends, cycles, folder)
    resources = mapped(folder / SOURCES, job["family"]) if job["family"] else {}
    return {
        "figures": {"cycles": cycles, **resources},
        "compared_samples": compared,
        "lut_by_da4ml": round(float(logic.cost)),
        "stages": len(pipeline.solutions),
    }


def _logic(network: Network) -> Any:
    """Return the network as da4ml's combinational program.

    Raises:
        Refusal: da4ml has no form for a layer, or the program is too large to go on with.
    """
    from da4ml.converter import trace_model
    from da4ml.trace import HWConfig, comb_trace

    require_size(network.products(), "multiplications")
    try:
        inputs, outputs = trace_model(network.keras, HWConfig(1, -1, -1), {"hard_dc": 2})
        logic = comb_trace(inputs, outputs)
    except Exception as error:  # it asserts what it needs of layers
        reason = network.reason(error)
        raise Refusal(f"da4ml does not take the network: {reason}", _OTHER) from error
    require_size(logic.cost, "LUTs")
    return logic


def require_size(count: float, what: str) -> None:
    """Raise where no chip takes a network; `what` says what is counted."""
    if count > COST_MAX:
        raise Refusal(
            f"unrolled, the network takes about {count:,.0f} {what}, more than any chip has LUTs",
            "narrow the network, or quantize it to fewer bits by a larger `hgq.beta`",
        )


def _write(logic: Any, job: dict[str, Any], folder: Path) -> Any:
    """Write da4ml's project; return its pipeline."""
    from da4ml.codegen import RTLModel

    model = RTLModel(
        logic,
        "model",
        folder,
        latency_cutoff=job["latency_cutoff"],
        part_name=job["part"],
        clock_period=job["clock_ns"],
        print_latency=True,  # as comments, as `da4ml convert` does
    )
    model.write()
    return model._pipe  # what it wrote; no method returns it


def collect(source: Path, target: Path) -> None:
    """Copy what synthesis takes: modules and constraints of timing.

    Raises:
        Refusal: the network has lookup tables.
    """
    if any((source / "memfiles").glob("*.mem")):
        raise Refusal(
            "da4ml makes lookup tables of the network, in files that the simulation would look for "
            "on the device",
            "use layers that `quantize: hgq` takes, none of which becomes a table",
        )
    target.mkdir()
    for place in (source, source / "static"):
        for file in sorted(place.iterdir()) if place.is_dir() else ():
            if file.is_file():
                shutil.copyfile(file, target / file.name)
    (target / "model_wrapper.v").unlink()  # of da4ml's own simulation
    (target / "lookup_table.v").unlink()  # it names a file that is not there


def _samples(low: Any, high: Any, given: Path | None) -> Any:
    """Return samples to compare on, float32 (n, all inputs' elements), those given first.

    The others are random, of the whole range that the input's quantizers keep; what is given is
    held to that, as the engine does.
    """
    import numpy as np

    rows = np.load(given) if given else np.empty((0, len(low)), np.float32)
    missing = max(0, SAMPLES - len(rows))
    random = np.random.default_rng(0).uniform(low, high, (missing, len(low)))
    return np.clip(np.concatenate([rows, random]), low, high).astype(np.float32)


def require_equal(what: str, found: Any, expected: Any) -> int:
    """Raise where one form of the network computes otherwise than another, in any last bit.

    Returns:
        The number of samples that were compared.
    """
    import numpy as np

    differ = np.asarray(found != expected)
    if not differ.any():
        return len(differ)
    largest = np.abs(np.asarray(found, np.float64) - expected).max()
    raise Refusal(
        f"{what} gives {differ.sum():,} of {differ.size:,} outputs otherwise than the network, by "
        f"up to {largest:g}",
        "this is a fault of the tools: keep the log, and try another width or `hgq.beta`",
    )


def _describe(
    job: dict[str, Any], network: Network, ends: dict[str, Any], cycles: int, folder: Path
) -> None:
    described = {
        "arch": job["arch"],
        "library": LIBRARY,
        "compiler": f"da4ml {version('da4ml')}, verilator {version('verilator')}",
        "operators": job["operators"],
        "io": network.io(),
        "cycles": cycles,
        "initiation_interval": 1,
        "clock_ns": job["clock_ns"],
        "part": job["part"],
        **ends,
    }
    (folder / DESCRIPTION).write_text(json.dumps(described, sort_keys=True))


_OTHER = "use layers that both HGQ2 and da4ml have, or another target for this model"
