"""The protocol between edgeflow and a class of hardware."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from pydantic import BaseModel, JsonValue

from edgeflow.config.base import Reference, Section
from edgeflow.config.recipe import Recipe
from edgeflow.dataset.tensors import Tensors
from edgeflow.figures.figure import Figure
from edgeflow.targets.worker import Worker
from edgeflow.tasks.base import Task
from edgeflow.tasks.metric import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

Clock = Literal["device", "none"]
Severity = Literal["note", "warning"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What a target can take; checked before anything is trained.

    Attributes:
        quantize: values of a recipe's `quantize` that the target accepts.
        bit_exact: values of `quantize` for which the device must give the host's very bytes.
        io: types of input and output of an int8 model.
        calibration: values of `calibration.method` that can be had.
        activations: values of `hgq.activations` that can be had.
        keep_float: whether some layers may stay in float.
        quantized_source: values of `quantize` that a .tflite may have which the user brings
            quantized already; there is no float network then.
        network: whether the compiler reads the network that the .tflite was converted from.
        layers: whether it needs the network in layers of Keras, so that a model which the user
            brings must be a file of Keras 2.
        simulated: values of `quantize` for which the compiler runs what it made on the validation
            samples, and so gets these.
        unit: names that `unit` of a device may have, such as the serial number of a probe.
        unit_by_one: whether each of these names tells the unit by itself, so that a device has
            one of them at most.
        lint_untrained: whether `edgeflow check` also asks `lint` about networks that are trained
            here: untrained, but after their recipe, with the operators and sizes that they will
            have.
    """

    quantize: frozenset[str]
    bit_exact: frozenset[str] = frozenset()
    io: frozenset[str] = frozenset({"int8"})
    calibration: frozenset[str] = frozenset({"minmax"})
    activations: frozenset[str] = frozenset({"per-value", "per-tensor"})
    keep_float: bool = False
    quantized_source: frozenset[str] = frozenset()
    network: bool = False
    layers: bool = False
    simulated: frozenset[str] = frozenset()
    unit: frozenset[str] = frozenset()
    unit_by_one: bool = False
    lint_untrained: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """Something that a target needs and this machine has not."""

    what: str
    install: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Lint:
    """What a target says of a network before it is compiled.

    Attributes:
        severity: ``warning`` of what the target cannot do or what misses its limits; ``note`` of
            what it does otherwise than the user may think, as by slower kernels.
        place: operators or part of the model, such as ``2 MEAN, the first at net/pool/Mean``.
        message: what is to be said of them, with the reason.
        operators: indices in the main graph, in the order of the file, of those that it is said of.
            `edgeflow lint` takes an operator that a warning names for one that does not map.
    """

    severity: Severity
    place: str
    message: str
    operators: tuple[int, ...] = ()

    def __str__(self) -> str:
        """Return it in one line."""
        return f"{self.severity}: {self.place}: {self.message}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationSet:
    """The validation set with the metric of its task, for compilers that judge their own work.

    Attributes:
        inputs: float32, preprocessed as in training.
        truth: of the samples, in the form of the task.
        task: of the dataset.
    """

    inputs: Tensors
    truth: "NDArray[Any]"
    task: Task

    @property
    def metric(self) -> Metric:
        """What `figure` returns."""
        return self.task.metric

    def figure(self, outputs: "NDArray[Any]", rows: Sequence[int]) -> float:
        """Return the metric of a network's first output, float32 (n, ...), for samples `rows`."""
        picks = list(rows)
        return self.task.figure(outputs, self.inputs.first[picks], self.truth[picks])


@dataclass(frozen=True, kw_only=True, slots=True)
class CompileInput:
    """What a compiler gets.

    Attributes:
        model: the recipe's model.tflite, with a static batch of 1.
        float_model: the same network before quantization, as float32 .tflite; a copy of `model`
            where the user brought a quantized .tflite.
        network: what `float_model` was converted from, after all stages of the recipe that train:
            ``model.h5`` of Keras 2, or ``graph.pb``, a frozen TensorFlow graph from `input` to
            `Identity`. None where the user brought a .tflite, and for targets whose capabilities do
            not ask for it.
        recipe: what was applied.
        calibration: float32 inputs, preprocessed as in training; None for a
            `quantize` that does not read it.
        worker: runs the worker of the target's toolchain, wherever that is.
        validation: the validation set, for a target that `needs_validation`; None for a `quantize`
            that does not read the calibration set. No compiler sees the test set.
        samples: the inputs of the validation set, float32 and preprocessed, for a `quantize` among
            the capabilities' `simulated`; None for others, and where there is no dataset.
    """

    model: Path
    float_model: Path
    network: Path | None
    recipe: Recipe
    calibration: Tensors | None
    worker: Worker = field(default_factory=Worker)
    validation: ValidationSet | None = None
    samples: Tensors | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CompiledModel:
    """What a compiler made, in the folder it was given.

    Attributes:
        model: file name that the engine opens.
        operators: where operators run, for example ``{"cpu": 12}`` or with ``"accelerator"``.
        tolerances: of each output by its position, instead of the runtime's, where they follow
            from the model, such as from the step of an integer output.
        figures: those of the target's `figures` that the compiler tells, by name.
        host_files: names of files that the engine reads for the host's reference alone; they go to
            no device, and count for no size.
        facts: what else the compiler says, for compile.json.
    """

    model: str
    operators: Mapping[str, int]
    tolerances: tuple[float, ...] | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    host_files: tuple[str, ...] = ()
    facts: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """One memory of a target: what a network needs of it, and what it may take at most, if any."""

    name: str
    needed_bytes: int
    limit_bytes: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """What a network takes of a target's memories.

    Attributes:
        memories: each that may be too small.
        macs: multiplications with accumulation of one inference.
        exact: whether it is that of a linked program; else it is estimated.
        problem: why it does not fit; empty where it does.
        hint: what would help.
        share: about which share of the channels could stay; None where none could.
    """

    memories: tuple[Memory, ...]
    macs: int
    exact: bool
    problem: str = ""
    hint: str = ""
    share: float | None = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Oracle:
    """What makes the reference outputs instead of the engine.

    Attributes:
        module: dotted module with a class `Engine`, which opens the model on the host. One with a
            class method `of_job(job, options)` is made by that instead, of all that the compiler
            got, such as a simulator that the worker runs.
        options: passed to it, beside the file's name as `model`.
        tools: distributions whose versions shape the outputs.
        model: file that the compiler leaves for it beside the model, and that is not shipped; None
            for the recipe's model.tflite.
    """

    module: str
    options: Mapping[str, JsonValue]
    tools: tuple[str, ...]
    model: str | None = None


LITERT = Oracle(
    module="edgeflow.ondevice.engine_litert",
    options={"threads": 1, "xnnpack": True},
    tools=("ai-edge-litert",),
)
"""The interpreter as it runs by default."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Runtime:
    """What is shipped beside the compiled model to run it.

    Attributes:
        engine_module: dotted module with a class `Engine`; its one file goes into the bundle.
        engine_options: passed to `Engine` on the device.
        host_engine_options: the same for the host's reference, where the device has hardware
            that the host has not.
        tolerance: largest absolute difference of an output from the host's reference, where
            equality is not demanded; in units of the dequantized output.
        clock: ``device`` where time and memory of the process that runs the engine are the
            model's; ``none`` where they are not, as for an emulator: then no latency, load time
            or peak memory is measured. The same as the engine's attribute.
        oracle: what makes the outputs that the device's are compared with; None where the engine
            itself does, on the host. Under an oracle the engine takes and gives the tensors that
            the oracle's `io` names.
        runs_here: whether the host can run the engine, if what the engine needs is installed.
        figures: names of those of the target's own figures that can be had with these options;
            None for all.
        unit_figures: the same of devices with a `unit`, such as a real board where others run an
            emulator.
        needs_unit: whether a device must name its `unit`.
        unit: those of the names in the capabilities' `unit` that a device may give with these
            options; None for all.
        machines: what `uname -m` says of those that the compiled model runs on; empty: of all.
        tools: distributions whose versions shape the compiled model.
    """

    engine_module: str
    engine_options: Mapping[str, JsonValue]
    host_engine_options: Mapping[str, JsonValue]
    tolerance: float
    tools: tuple[str, ...]
    clock: Clock = "device"
    oracle: Oracle | None = None
    runs_here: bool = True
    figures: frozenset[str] | None = None
    unit_figures: frozenset[str] | None = None
    needs_unit: bool = False
    unit: frozenset[str] | None = None
    machines: tuple[str, ...] = ()

    @property
    def reference_module(self) -> str:
        """Dotted module of the engine that makes the reference outputs."""
        return self.oracle.module if self.oracle else self.engine_module

    @property
    def reference_tools(self) -> tuple[str, ...]:
        """Distributions whose versions shape the compiled model or its reference."""
        return (*self.tools, *(self.oracle.tools if self.oracle else ()))


class Target(Protocol):
    """A class of hardware. Third parties register theirs as entry point `edgeflow.targets`.

    It may have a class attribute `figures`, a tuple of `Figure`: what its compiler and its engine
    tell beside the figures that all targets have.

    A target may also have a static method `toolchain(options)`, which returns a
    `edgeflow.toolchain.base.Toolchain`; one without it compiles in edgeflow's own environment.

    It may have a static method `capabilities_with(options)`, which returns a `Capabilities` with
    less in it than `capabilities`, where some options take less than others.

    It may have a static method `needs_validation(options)`, which says whether its compiler is to
    judge what it makes of a calibrated recipe by the metric: then it gets a `ValidationSet`.

    It may have a static method `lint(model, options)`, which returns a list of `Lint` for a float
    or quantized .tflite: operators that will not map and why, sizes against limits. It reads the
    file and runs nothing, so that `edgeflow check` may call it on files of unknown origin, and
    says nothing of a file that it cannot read.

    It may have a static method `fit(model, options, worker)`, which returns a `Fit` for a .tflite
    after a recipe, and raises CompileError for one that it can never take. The worker is that of
    its toolchain, or None where that is not at hand: what it takes is then estimated, or it raises
    MissingToolError. With it, `edgeflow check` judges networks before they are trained.

    It may have a static method `needs(model)`, which says in a line what a .tflite takes of such
    hardware whatever the options, or why it cannot be compiled; empty where that is not known.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    Options: ClassVar[type["TargetOptions"]]

    @staticmethod
    def check(options: Any) -> list[Missing]:
        """Return what is missing here to compile with `options`, beside the toolchain."""

    @staticmethod
    def compile(job: CompileInput, options: Any, out: Path) -> CompiledModel:
        """Write the compiled model into `out`, the same bytes for the same input.

        Raises:
            CompileError: the compiler rejects the model.
            MissingToolError: the compiler is not installed.
        """

    @staticmethod
    def runtime(options: Any) -> Runtime:
        """Return what runs the compiled model on a device."""


class TargetOptions(Section):
    """Base of all targets' options; each adds `kind: Literal["its-name"]` and its own keys."""


class HostedOptions(TargetOptions):
    """Base of the options of targets whose worker may run on a compile host."""

    compile_host: Reference | None = None
    """Name of the compile host that has the compiler; by default it is on this machine."""


def own_figures(target: type[Target]) -> tuple[Figure, ...]:
    """Return the figures that a target declares."""
    figures: tuple[Figure, ...] = getattr(target, "figures", ())
    return figures


def parse_options(target: type[Target], raw: Mapping[str, Any]) -> BaseModel:
    """Return a target's validated options from their JSON form."""
    return target.Options.model_validate(dict(raw))
