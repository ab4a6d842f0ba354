"""The flow `hls`: C++ for a vendor's high-level synthesis, by hls4ml."""

import platform
import shutil
import tempfile
from pathlib import Path
from typing import Any

from edgeflow.errors import CompileError
from edgeflow.targets.base import LITERT, CompiledModel, CompileInput, Oracle, Runtime
from edgeflow.targets.fpga.compiler import compiler, compiler_program
from edgeflow.targets.fpga.figures import SYNTHESIS
from edgeflow.targets.fpga.options import FPGAOptions
from edgeflow.targets.worker import Worker
from edgeflow.toolchain.base import Program, Toolchain
from edgeflow.toolchain.fpga import environment

QUANTIZE: frozenset[str] = frozenset({"hgq", "none"})
"""Values of `quantize` that the flow takes."""
LIBRARY, HOST_LIBRARY = "model.so", "host.so"
"""What the device's host runs, and the same for this machine, where that is another."""
DESCRIPTION = "model.json"
PROJECT = "project"
TOOLS = {"Vitis": ("vitis-run", ("--version",)), "Vivado": ("vivado_hls", ("-version",))}
"""The vendor's program of each back end that synthesizes here, and how it says its version."""
_HINT = "look at the log, or choose another `backend` or `io`"


def activations(options: FPGAOptions) -> frozenset[str]:
    """Return the values of `hgq.activations` that hls4ml takes: a stream has one type."""
    streams = options.io == "stream"
    return frozenset({"per-tensor"} if streams else {"per-tensor", "per-value"})


def programs(options: FPGAOptions) -> tuple[Program, ...]:
    """Return the programs of the machine that the flow calls."""
    # The host's own library is compiled here, whatever the device's host is.
    machines = dict.fromkeys((platform.machine(), options.arch))
    own = tuple(compiler_program(machine) for machine in machines)
    if not options.synthesize:
        return own
    tool, version = TOOLS[options.backend]
    install = (
        f"install {options.backend} and put it on PATH, name a `compile_host` that has it, or "
        "leave out `synthesize`"
    )
    vendor = Program(name=tool, install=install, version=version)
    return (vendor,) if options.compile_host else (*own, vendor)


def compile_for(job: CompileInput, options: FPGAOptions, out: Path) -> CompiledModel:
    """Write project/, model.json and the libraries, and synthesize the project if asked to.

    Raises:
        CompileError: hls4ml or a compiler does not take the network, the emulation of an exact
            network differs from it, or the vendor's tool fails.
        MissingToolError: a tool is missing.
    """
    network = _network(job)
    exact = job.recipe.quantize == "hgq"
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "made"
        place.mkdir()
        files = {network.name: network, **_given(job, Path(name))}
        asked = {
            **_asked(options),
            "network": network.name,
            "exact": exact,
            "given": len(files) - 1,
        }
        said = _here(job, options).run(asked, files, place, hint=_HINT)
        library = _host_library(options)
        compared = {"emulation": require_exact(job, place, library)} if exact else {}
        figures = _synthesized(job, options, place / PROJECT) if options.synthesize else {}
        _keep(place, out)
    return CompiledModel(
        model=_model(options),
        operators={"fpga": said["layers"]},
        tolerances=None if exact else tuple(said["resolution"]),
        figures=figures,
        host_files=_host_files(out, _model(options)),
        facts={"types": said["types"], "compared_samples": {**compared}},
    )


def _network(job: CompileInput) -> Path:
    if job.network is None or job.network.suffix not in (".h5", ".keras"):
        raise CompileError(
            "`flow: hls` needs the layers of a Keras network, which this model has not",
            hint="import the model as a .h5 file of Keras, or train it here",
        )
    return job.network


def _given(job: CompileInput, place: Path) -> dict[str, Path]:
    """Write samples of the dataset, where the compiler gets some, and return the files."""
    import numpy as np

    files = {}
    for index, array in enumerate(job.samples.arrays.values() if job.samples else ()):
        path = files[f"given_{index}.npy"] = place / f"given_{index}.npy"
        np.save(path, array)
    return files


def _asked(options: FPGAOptions) -> dict[str, Any]:
    return {
        "flow": "hls",
        "backend": options.backend,
        "io": options.io,
        "part": options.part,
        "clock_ns": options.clock_ns,
        "reuse_factor": options.reuse_factor,
        "precision": options.precision,
        "compilers": {name: compiler(arch) for name, arch in _libraries(options).items()},
    }


def _libraries(options: FPGAOptions) -> dict[str, str]:
    """Return the machine of each library by its file's name."""
    if options.overlay:
        return {HOST_LIBRARY: platform.machine()}
    both = {LIBRARY: options.arch, HOST_LIBRARY: platform.machine()}
    return {LIBRARY: options.arch} if options.arch == platform.machine() else both


def _host_library(options: FPGAOptions) -> str:
    """Return the name of the library that this machine runs."""
    return HOST_LIBRARY if HOST_LIBRARY in _libraries(options) else LIBRARY


def _model(options: FPGAOptions) -> str:
    return DESCRIPTION if options.overlay else LIBRARY


def _here(job: CompileInput, options: FPGAOptions) -> Worker:
    """Return what runs hls4ml: this machine, also where a compile host synthesizes."""
    if job.worker.host is None:
        return job.worker
    plain = options.model_copy(update={"synthesize": False, "compile_host": None})
    tools = Toolchain(
        worker=f"{__package__}.fpga_worker", environment=environment(), programs=programs(plain)
    )
    return Worker(title=job.worker.title, toolchain=tools)


def require_exact(job: CompileInput, place: Path, library: str) -> int:
    """Return for how many samples the emulation equals Keras, and the recipe's model where it can.

    Raises:
        CompileError: it does not for all of them.
    """
    import numpy as np

    from edgeflow.ondevice import engine_hls

    samples = arrays_of(place, "samples")
    emulated = engine_hls.Engine(str(place), {"model": library}).infer_many(*samples)
    others = {"Keras": arrays_of(place, "expected")}
    if job.samples:  # beyond their range sums wrap, which no float does
        others["the recipe's model.tflite"] = litert_outputs(job, samples)
    for title, outputs in others.items():
        pairs = zip(emulated, outputs, strict=True)
        wrong = sum(differing(array, np.asarray(other)) for array, other in pairs)
        if wrong:
            raise CompileError(
                f"the emulation of the C++ differs from {title} in {wrong:,} numbers of "
                f"{len(samples[0]):,} samples: hls4ml does not keep this network's arithmetic",
                hint="choose another `backend`, or `flow: rtl`",
            )
    return len(samples[0])


def arrays_of(place: Path, name: str) -> list[Any]:
    """Return the arrays that the worker left under a name, such as `samples`."""
    import numpy as np

    found: list[Any] = []
    while (path := place / f"{name}_{len(found)}.npy").exists():
        found.append(np.load(path))
    return found


def litert_outputs(job: CompileInput, samples: list[Any]) -> list[Any]:
    """Return what the recipe's model gives for samples, an array for each output."""
    from edgeflow.dataset.tensors import Tensors
    from edgeflow.ondevice.engine_litert import Engine
    from edgeflow.targets.host import run_engine

    options = {"model": job.model.name, **LITERT.options}
    engine = Engine(str(job.model.parent), options)
    io = engine.io()
    names = [tensor["name"] for tensor in io["inputs"]]
    inputs = Tensors(dict(zip(names, samples, strict=True)))
    return list(run_engine(engine, io, inputs).arrays.values())


def differing(emulated: Any, other: Any) -> int:
    """Return how many numbers of two arrays with the same samples differ."""
    import numpy as np

    count = len(emulated)
    return int(np.count_nonzero(emulated.reshape(count, -1) != other.reshape(count, -1)))


def _synthesized(job: CompileInput, options: FPGAOptions, project: Path) -> dict[str, float]:
    """Return what the vendor's tool says of a project."""
    from edgeflow.targets.fpga.synthesis import synthesize

    worker = Worker(
        title=job.worker.title,
        toolchain=Toolchain(worker=f"{__package__}.vendor_worker", programs=programs(options)),
        host=job.worker.host,
        identity=job.worker.identity,
    )
    return synthesize(worker, TOOLS[options.backend][0], options.clock_ns, project)


def _keep(place: Path, out: Path) -> None:
    for path in sorted(place.rglob("*")):
        if path.is_file() and path.suffix != ".npy":
            (out / path.relative_to(place)).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, out / path.relative_to(place))


def _host_files(out: Path, model: str) -> tuple[str, ...]:
    """Return what no device needs: all but what its engine opens, and that is one file."""
    names = (path.relative_to(out).as_posix() for path in sorted(out.rglob("*")) if path.is_file())
    return tuple(name for name in names if name != model)


def runtime(options: FPGAOptions) -> Runtime:
    """Return what runs the emulation on the device's host, or the board's driver."""
    figures = frozenset(one.name for one in SYNTHESIS) if options.synthesize else frozenset()
    if options.overlay:
        return Runtime(
            engine_module="edgeflow.ondevice.engine_pynq",
            engine_options={},
            host_engine_options={},
            tolerance=_TOLERANCE,
            tools=(),
            oracle=Oracle(
                module="edgeflow.ondevice.engine_hls", options={}, tools=(), model=HOST_LIBRARY
            ),
            runs_here=False,
            figures=figures,
            needs_unit=True,
            machines=("armv7l", "aarch64"),
        )
    return Runtime(
        engine_module="edgeflow.ondevice.engine_hls",
        engine_options={},
        host_engine_options={"model": _host_library(options)},
        tolerance=_TOLERANCE,
        tools=(),
        clock="none",
        figures=figures,
        unit=frozenset(),
        machines=(options.arch,),
    )


_TOLERANCE = 1e-3
"""Where no output's own step is known: about that of a number with ten bits of fraction."""
