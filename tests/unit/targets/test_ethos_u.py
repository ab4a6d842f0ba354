"""Ethos-U: what Vela makes of models, and the engine up to the driver."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from edgeflow.check.fits import check_fits, fits_of
from edgeflow.compress.evaluate import host_outputs
from edgeflow.config.load import parse
from edgeflow.errors import CompileError
from edgeflow.ondevice.engine_ethos_u import Engine
from edgeflow.targets.base import CompiledModel, CompileInput
from edgeflow.targets.coverage import cover
from edgeflow.targets.ethos_u import EthosU
from edgeflow.targets.ethos_u.configuration import Family
from edgeflow.targets.ethos_u.operators import NARROW, OPERATORS
from edgeflow.targets.ethos_u.options import EthosUOptions
from edgeflow.targets.ethos_u.structure import left_to_cpu, require_same_ends
from edgeflow.targets.lint import operators_of
from edgeflow.testing.subject import compile_input
from edgeflow.testing.trained import Trained
from edgeflow.toolchain.environment import python_of
from tests.unit.packed import compile_tiny
from tests.unit.targets.test_lint import write_chain

ONE_OF_EACH = ("ethos-u55-128", "ethos-u65-256", "ethos-u85-256")
DELEGATE = Path(__file__).parents[2] / "delegates/ethos_u.c"
INI = """\
[System_Config.Mine]
core_clock={clock}
axi0_port=Sram
axi1_port=OffChipFlash
Sram_clock_scale=1.0
Sram_burst_length=32
Sram_read_latency=32
Sram_write_latency=32
Sram_max_reads=4
Sram_max_writes=4
OffChipFlash_clock_scale=0.125
OffChipFlash_burst_length=128
OffChipFlash_read_latency=64
OffChipFlash_max_reads=2
[Memory_Mode.Parent]
const_mem_area=Axi1
arena_mem_area=Axi0
cache_mem_area=Axi0
[Memory_Mode.Child]
inherit=Memory_Mode.Parent
[Memory_Mode.Other]
note={note}
"""


def options_for(**given: Any) -> EthosUOptions:
    return EthosUOptions.model_validate({"kind": "ethos_u", **given})


def job_for(trained: Trained, recipe: str) -> CompileInput:
    return compile_input(EthosU, trained, recipe, {"kind": "ethos_u"}, None)


def compiled(trained: Trained, recipe: str, out: Path, **given: Any) -> CompiledModel:
    out.mkdir(exist_ok=True)
    return EthosU.compile(job_for(trained, recipe), options_for(**given), out)


def from_file(trained: Trained, model: Path, out: Path, **given: Any) -> CompiledModel:
    out.mkdir(exist_ok=True)
    job = replace(job_for(trained, "ptq-int8"), model=model)
    return EthosU.compile(job, options_for(**given), out)


@pytest.mark.parametrize("accelerator", ONE_OF_EACH)
def test_all_of_an_int8_network_runs_on_the_npu(
    trained: Trained, accelerator: str, tmp_path: Path
) -> None:
    made = compiled(trained, "ptq-int8", tmp_path, accelerator=accelerator)
    given = trained.recipe("ptq-int8") / "model.tflite"
    assert [path.name for path in tmp_path.iterdir()] == [made.model]
    assert {one.name for one in operators_of(tmp_path / made.model)} == {"ethos-u"}
    assert made.operators == {"accelerator": len(operators_of(given)), "cpu": 0}
    assert made.figures["accelerator_share"] == 1
    assert made.figures.keys() == {figure.name for figure in EthosU.figures}
    assert all(value > 0 for value in made.figures.values())
    # The NPU's clock, from Vela's configuration, makes the one of the other.
    clock = float(str(made.facts["vela"]["core_clock"]))  # type: ignore[index,call-overload]
    cycles, time_ms = (
        made.figures[name] for name in ("npu_cycles_estimate", "latency_estimate_ms")
    )
    assert cycles / clock * 1000 == pytest.approx(time_ms, rel=1e-3)


def test_operators_on_the_cpu_are_named_with_velas_reason(
    trained: Trained, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = compiled(trained, "keep-float", tmp_path)
    left: Any = made.facts["cpu_operators"]
    names = [one["operator"] for one in left]
    assert sorted(names) == sorted(
        ["DEPTHWISE_CONV_2D", "FULLY_CONNECTED", *2 * ["QUANTIZE", "DEQUANTIZE"]]
    )
    whys = {one["operator"]: one["reason"] for one in left}
    assert whys["DEQUANTIZE"] == "Unsupported opType"
    assert "unsupported DataType Float32" in whys["FULLY_CONNECTED"]
    assert made.operators == {"accelerator": 5, "cpu": 6}
    assert made.figures["accelerator_share"] == pytest.approx(5 / 11)
    assert (
        "DEQUANTIZE at tfl.dequantize runs on the CPU: Unsupported opType" in capfd.readouterr().err
    )


def test_what_is_left_to_the_cpu_may_be_refused(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="leaves 6 of 11 operators.*Float32") as caught:
        compiled(trained, "keep-float", tmp_path, cpu_operators="refuse")
    assert "cpu_operators: allow" in caught.value.hint


def test_a_model_of_which_nothing_maps_is_refused(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="leaves all 7 operators.*; and 2 more") as caught:
        from_file(trained, trained.recipe("none") / "model.tflite", tmp_path)
    assert "quantize" in caught.value.hint


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("EXP", r"Vela: .*Exp.* could not run on NPU\n"),
        ("RELU", r"Vela: it crashed with signal 11\n"),  # without a word
    ],
)
def test_a_failure_of_vela_is_one_message_with_its_reason(
    trained: Trained, step: str, said: str, tmp_path: Path
) -> None:
    model = write_chain(tmp_path / "model.tflite", step, dtypes=("int32",))
    with pytest.raises(CompileError, match=said) as caught:
        from_file(trained, model, tmp_path / "out", accelerator="ethos-u85-256")
    assert "\n" not in caught.value.message
    assert caught.value.hint
    assert list((tmp_path / "out").iterdir()) == []


def test_sram_is_limited_before_and_after_training(trained: Trained, tmp_path: Path) -> None:
    job = job_for(trained, "ptq-int8")
    free = EthosU.fit(job.model, options_for(), job.worker)
    (sram,) = free.memories
    assert not free.problem
    assert free.macs > 100_000
    made = compiled(trained, "ptq-int8", tmp_path)
    assert sram.needed_bytes == made.figures["sram_bytes"]
    tight = options_for(sram_bytes=sram.needed_bytes - 1)
    judged = EthosU.fit(job.model, tight, job.worker)
    assert "`sram_bytes` allows" in judged.problem
    assert judged.share is not None
    assert 0.9 < judged.share < 1
    with pytest.raises(CompileError, match="bytes of SRAM by Vela") as caught:
        compiled(trained, "ptq-int8", tmp_path, sram_bytes=tight.sram_bytes)
    assert "optimise: size" in caught.value.hint
    small = compiled(trained, "ptq-int8", tmp_path, optimise="size", sram_bytes=sram.needed_bytes)
    assert small.figures["sram_bytes"] <= sram.needed_bytes


def test_weights_count_where_sram_holds_them(trained: Trained, tmp_path: Path) -> None:
    # Vela's summary calls that part of the SRAM on-chip flash.
    alone = compiled(trained, "ptq-int8", tmp_path, memory_mode="Sram_Only").figures
    shared = compiled(trained, "ptq-int8", tmp_path, memory_mode="Shared_Sram").figures
    assert alone["external_memory_bytes"] == 0
    assert shared["external_memory_bytes"] > 5000
    assert alone["sram_bytes"] - shared["sram_bytes"] > 5000


NET = """\
def build(keras, input_shape, classes, *, width=16):
    import tensorflow as tf
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(width, 3, padding="same", activation="relu")(inputs)
    x = keras.layers.Lambda(lambda t: tf.nn.space_to_depth(t, 2), name="blocks")(x)
    return keras.Model(inputs, keras.layers.Dense(classes)(keras.layers.Flatten()(x)))
"""


def test_check_says_before_training_what_vela_will_not_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "npu_net.py").write_text(NET)
    monkeypatch.syspath_prepend(tmp_path)
    raw: dict[str, Any] = {
        "datasets": {"digits": {"source": "digits"}},
        "models": {"net": {"dataset": "digits", "architecture": {"name": "npu_net:build"}}},
        "recipes": {"int8": {"quantize": "ptq-int8"}},
        "targets": {"npu": {"kind": "ethos_u", "sram_bytes": 2000}},
        "deployments": [{"model": "net", "recipe": "int8", "targets": ["npu"]}],
    }
    (found,) = check_fits(raw)
    assert "net/int8 on npu: it takes" in found.message
    assert "width" in str(found.hint)
    raw["targets"] = {"npu": {"kind": "ethos_u", "sram_bytes": 30000}}
    assert list(check_fits(raw)) == []
    raw["targets"] = {"npu": {"kind": "ethos_u", "cpu_operators": "refuse"}}
    (found,) = check_fits(raw)
    assert "leaves 1 of " in found.message
    assert "SPACE_TO_DEPTH at" in found.message
    assert "Unsupported opType" in found.message
    # Activations of 16 bits take twice the SRAM; which layers stay in float, training tells.
    raw["targets"] = {"npu": {"kind": "ethos_u"}}
    raw["models"]["net"]["architecture"] = {"name": "ds_cnn", "width": 16}
    narrow = fits_of(parse(raw))
    raw["recipes"] = {"int8": {"quantize": "ptq-int16x8"}}
    wide = fits_of(parse(raw))
    sizes = [fit.memories[0].needed_bytes for found in (narrow, wide) for fit in found.values()]
    assert sizes[1] > 1.5 * sizes[0]
    raw["recipes"] = {"int8": {"quantize": "ptq-int8", "keep_float": {"layers": ["dense"]}}}
    assert fits_of(parse(raw)) == {}


def test_the_reference_is_the_input_model_on_litert(trained: Trained, tmp_path: Path) -> None:
    manifest = compile_tiny(trained, "ethos_u", "ptq-int8", tmp_path)
    (output,) = manifest.facts["io"]["outputs"]
    flatbuffer = (trained.recipe("ptq-int8") / "model.tflite").read_bytes()
    raw = np.load(tmp_path / f"reference/{output['name']}.npy")
    found = (raw.astype(np.float32) - output["zero_point"]) * np.float32(output["scale"])
    wanted = host_outputs(flatbuffer, trained.view().tensors("test"))
    np.testing.assert_array_equal(found, wanted)
    assert output["tolerance"] == 2 * output["scale"]


def test_firmware_without_an_interpreter_gets_arrays(trained: Trained, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        compiled(trained, "ptq-int8", folder, raw=True)
    assert sorted(path.name for path in one.iterdir()) == ["model.npz", "model.tflite"]
    assert (one / "model.npz").read_bytes() == (two / "model.npz").read_bytes()
    with np.load(one / "model.npz") as arrays:
        commands = bytes(arrays["cmd_data"])
        assert arrays["input_shape"].tolist()[0][-3:] == [8, 8, 1]
    # The .tflite holds the very commands.
    assert commands in (one / "model.tflite").read_bytes()


# -- a vela.ini of one's own


def test_sections_of_ones_own_file_count_alone(trained: Trained, tmp_path: Path) -> None:
    path, found = tmp_path / "vela.ini", []
    for clock, note in ((5e8, "a"), (5e8, "b"), (1e8, "a")):
        path.write_text(INI.format(clock=clock, note=note))
        found.append(options_for(config=str(path), system_config="Mine", memory_mode="Child"))
    slow, fast = (
        compiled(
            trained, "ptq-int8", tmp_path / str(place), **found[place].model_dump(exclude={"kind"})
        )
        for place in (2, 0)
    )
    assert found[0] == found[1], "another section changed"
    assert found[0] != found[2]
    assert EthosUOptions.model_validate_json(found[0].model_dump_json()) == found[0]
    times = [made.figures["latency_estimate_ms"] for made in (slow, fast)]
    assert times[0] > 3 * times[1]
    assert "vela.ini" not in [file.name for file in (tmp_path / "0").iterdir()]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"system_config": "Ethos_U65_High_End"}, "no system configuration"),
        ({"memory_mode": "Dedicated_Sram"}, "is for systems with DRAM"),
        ({"memory_mode": "Mine"}, "is unknown to Vela"),
        ({"config": "vela.ini"}, "name its sections"),
        ({"config": "none.ini", "system_config": "A", "memory_mode": "B"}, "cannot be read"),
        ({"config": "odd.ini", "system_config": "A", "memory_mode": "B"}, "cannot be read"),
        ({"config": "vela.ini", "system_config": "Mine", "memory_mode": "B"}, "no section"),
        ({"accelerator": "ethos-u55-512"}, "Input should be"),
        ({"optimise": "size", "arena_cache_size_bytes": 1000}, "is for `optimise: performance`"),
        ({"delegate": "libethosu_delegate.so"}, "should match pattern"),
    ],
)
def test_what_vela_would_refuse_is_a_problem_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("vela.ini").write_text(INI.format(clock=1e8, note=""))
    Path("odd.ini").write_text("no section")
    with pytest.raises(ValidationError, match=said):
        options_for(**given)


# -- what can be told without Vela


def test_the_table_of_operators_is_velas(tmp_path: Path) -> None:
    program = (
        "import json; from ethosu import regor; print(json.dumps({f: "
        "regor.tflite_operator_constraints('Ethos' + f.upper()) for f in ('u55', 'u65', 'u85')}))"
    )
    environment = EthosU.toolchain(options_for()).environment
    assert environment
    python = python_of(environment, "Vela")
    said = json.loads(subprocess.check_output([python, "-c", program], cwd=tmp_path))
    for family in Family:
        known = {name.replace("ARGMAX", "ARG_MAX"): rules for name, rules in said[family].items()}
        assert OPERATORS[family] == known.keys()
        narrow = {name for name, rules in known.items() if NO_32_BITS in rules}
        assert narrow == (set() if family is Family.U85 else NARROW)


NO_32_BITS = "32-bit feature-maps are not supported."


@pytest.mark.parametrize("accelerator", ["ethos-u55-128", "ethos-u85-256"])
@pytest.mark.parametrize(
    ("dtype", "steps"),
    [
        ("int8", ("ABS", "SQUARE", "ELU", "TANH", "SIN", "LOGISTIC", "FLOOR", "MyOp", "RELU")),
        ("int16", ("ABS", "ELU", "GELU", "LOG", "RELU6", "COS")),
        ("int32", ("NEG", "SQUARE", "ABS")),
    ],
)
def test_lint_agrees_with_vela(
    trained: Trained, accelerator: str, dtype: str, steps: tuple[str, ...], tmp_path: Path
) -> None:
    model = write_chain(tmp_path / "model.tflite", *steps, dtypes=(dtype,))
    said = cover(EthosU, model, options_for(accelerator=accelerator))
    made = from_file(trained, model, tmp_path / "out", accelerator=accelerator)
    left: Any = made.facts["cpu_operators"]
    assert [one.operator for one in said.unmapped] == [one["operator"] for one in left]


Step = tuple[str, list[str], str, dict[str, Any]]
Kinds = dict[str, tuple[list[int], Any]]


def write_graph(path: Path, tensors: Kinds, steps: list[Step], outputs: list[str]) -> Path:
    """Write a .tflite of int8 tensors, and of int32 ones, whose names start with `int`.

    Args:
        path: the file.
        tensors: the shape of each, and an int32 constant's values, or None; -1 is an open size.
        steps: name of the operator, its inputs, its output and its options.
        outputs: of the graph; its inputs are those that start with `x`.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT()]
    graph.tensors, graph.operators, model.operatorCodes = [], [], []
    for name, (shape, values) in tensors.items():
        tensor, integer = schema.TensorT(), name.startswith("int")
        tensor.name, tensor.shape, tensor.buffer = name.encode(), [max(one, 1) for one in shape], 0
        tensor.shapeSignature = shape
        tensor.type = schema.TensorType.INT32 if integer else schema.TensorType.INT8
        if values is not None:
            model.buffers.append(schema.BufferT())
            model.buffers[-1].data = np.asarray(values, "<i4").tobytes()
            tensor.buffer = len(model.buffers) - 1
        if not integer:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [0.5], [0]
        graph.tensors.append(tensor)
    places = {name: place for place, name in enumerate(tensors)}
    for place, (step, inputs, output, given) in enumerate(steps):
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = getattr(schema.BuiltinOperator, step)
        code.deprecatedBuiltinCode, code.version = code.builtinCode, 1
        operator.opcodeIndex, operator.outputs = place, [places[output]]
        operator.inputs = [places[name] for name in inputs]
        kind = OPTIONS.get(step, step.title().replace("_", "") + "Options")
        operator.builtinOptions = getattr(schema, kind + "T")()
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        for field, value in given.items():
            setattr(operator.builtinOptions, field, value)
        model.operatorCodes.append(code)
        graph.operators.append(operator)
    graph.inputs = [places[name] for name in tensors if name.startswith("x")]
    graph.outputs = [places[name] for name in outputs]
    flatbuffer_utils.write_model(model, str(path))
    return path


OPTIONS = {"MEAN": "ReducerOptions", "SUM": "ReducerOptions"}
ALIGN, HALF = {"alignCorners": True}, {"halfPixelCenters": True}
RESIZES: list[tuple[tuple[int, int], tuple[int, int], dict[str, bool]]] = [
    ((8, 8), (16, 16), {}),
    ((8, 8), (16, 16), ALIGN),
    ((8, 8), (15, 15), ALIGN),
    ((8, 8), (24, 24), {}),
    ((8, 8), (16, 32), {}),
    ((8, 8), (8, 16), {}),
    ((8, 1), (16, 1), {}),
    ((8, 1), (16, 1), HALF),
    ((1, 8), (1, 29), ALIGN),
    ((1, 8), (4, 8), ALIGN),
    ((2, 2), (16, 16), HALF),
    ((2, 2), (32, 32), {}),
    ((1, 1), (3, 5), {}),
    ((8, 8), (15, 15), ALIGN | HALF),
]
MEANS = [
    ([1, 4, 4, 4], [1, 2]),
    ([1, 4, 4, 4], [-1]),
    ([1, 1, 4, 4], [3]),
    ([4, 4, 4], [2]),
    ([2, 4, 4, 4], [1, 2]),
    ([1, 5000, 1, 4], [1]),
    ([1, 4096, 1, 4], [1]),
    ([1, 2, 4, 4, 4], [2, 3]),
    ([4, 4], [1]),
]


@pytest.mark.parametrize("accelerator", ["ethos-u55-128", "ethos-u85-256"])
def test_lint_agrees_with_vela_about_shapes(
    trained: Trained, accelerator: str, tmp_path: Path
) -> None:
    tensors: Kinds = {}
    steps: list[Step] = []
    for name in ("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"):
        for old, new, given in RESIZES:
            at = len(steps)
            tensors |= {f"x{at}": ([1, *old, 4], None), f"int{at}": ([2], new)}
            tensors[f"y{at}"] = ([1, *new, 4], None)
            steps.append((name, [f"x{at}", f"int{at}"], f"y{at}", given))
    means: list[tuple[str, list[int], list[int], bool]] = [
        ("MEAN", shape, axes, True) for shape, axes in MEANS
    ]
    # One leaves no dimension, one has an open size that is not the batch's.
    for name, shape, axes, keep in [
        *means,
        ("SUM", [1, 8], [0, 1], False),
        ("SUM", [-1, 4, 4], [2], True),
        ("SUM", [1, -1, 4], [2], True),
    ]:
        at, reduced = len(steps), {axis % len(shape) for axis in axes}
        made = [1 if axis in reduced else size for axis, size in enumerate(shape)] if keep else []
        tensors |= {
            f"x{at}": (shape, None),
            f"int{at}": ([len(axes)], axes),
            f"y{at}": (made, None),
        }
        steps.append((name, [f"x{at}", f"int{at}"], f"y{at}", {"keepDims": keep}))
    model = write_graph(tmp_path / "m.tflite", tensors, steps, [made for *_, made, _ in steps])
    agrees(trained, model, accelerator, tmp_path)


@pytest.mark.parametrize("accelerator", ["ethos-u55-128", "ethos-u85-256"])
@pytest.mark.parametrize("read", [[], ["int_part"]])
def test_a_computed_shape_that_vela_drops_is_not_named(
    trained: Trained, accelerator: str, read: list[str], tmp_path: Path
) -> None:
    tensors: Kinds = {
        "x": ([-1, 2, 2, 4], None),
        "int_shape": ([4], None),
        **{f"int_{at}": ([1], [at]) for at in (0, 1)},
        "int_part": ([], None),
        "int_size": ([], [16]),
        "int_made": ([2], None),
        "flat": ([-1, 16], None),
    }
    steps: list[Step] = [
        ("SHAPE", ["x"], "int_shape", {}),
        (
            "STRIDED_SLICE",
            ["int_shape", "int_0", "int_1", "int_1"],
            "int_part",
            {"shrinkAxisMask": 1},
        ),
        ("PACK", ["int_part", "int_size"], "int_made", {"valuesCount": 2}),
        ("RESHAPE", ["x", "int_made"], "flat", {}),
        ("ABS", ["flat"], "y", {}),
    ]
    tensors["y"] = ([-1, 16], None)
    model = write_graph(tmp_path / "model.tflite", tensors, steps, ["y", *read])
    assert len(agrees(trained, model, accelerator, tmp_path)) == 2 * len(read)


def agrees(trained: Trained, model: Path, accelerator: str, folder: Path) -> list[str]:
    """Hold lint to Vela, and return the first outputs of what stays on the CPU."""
    made = from_file(trained, model, folder / "out", accelerator=accelerator)
    left: Any = made.facts["cpu_operators"]
    operators = operators_of(model)
    said = cover(EthosU, model, options_for(accelerator=accelerator)).unmapped
    named = [operators[one.index].output for one in said]
    assert sorted(named) == sorted(one["output"] for one in left)
    return named


def test_a_float_network_is_judged_by_names(tmp_path: Path) -> None:
    model = write_chain(tmp_path / "model.tflite", "ABS", "SIN", "RELU")
    found = cover(EthosU, model, options_for())
    assert [one.operator for one in found.unmapped] == ["SIN"]
    assert "Ethos-U55" in found.unmapped[0].reason


# -- what Vela may not change


def test_operators_that_the_model_has_not_are_refused(tmp_path: Path) -> None:
    before = operators_of(write_chain(tmp_path / "a.tflite", "ABS", "SIN"))
    after = operators_of(write_chain(tmp_path / "b.tflite", "ethos-u", "SIN"))
    assert [one.name for one in left_to_cpu(before, after)] == ["SIN"]
    strange = operators_of(write_chain(tmp_path / "c.tflite", "ethos-u", "COS"))
    with pytest.raises(CompileError, match="does not have: COS"):
        left_to_cpu(before, strange)


def test_other_inputs_and_outputs_are_refused(tmp_path: Path) -> None:
    before = write_chain(tmp_path / "a.tflite", "ABS", dtypes=("int8",))
    after = write_chain(tmp_path / "b.tflite", "ABS", "RELU", dtypes=("int8",))
    assert require_same_ends(before, after) == [0.5]
    for dtypes in (("int16",), ("int8", "int16")):
        other = write_chain(tmp_path / "c.tflite", "ABS", dtypes=dtypes)
        with pytest.raises(CompileError, match="changed inputs or outputs"):
            require_same_ends(before, other)


# -- the engine, up to the driver


@pytest.fixture(scope="module")
def delegate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("npu") / "libethosu_delegate.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, DELEGATE], check=True)
    return library


def engine_of(folder: Path, delegate: Path | str, device: str = "/dev/null") -> Engine:
    given = options_for(delegate=str(delegate), device=device)
    runtime = EthosU.runtime(given)
    return Engine(str(folder), {"model": "model.tflite", "unit": {}, **runtime.engine_options})


def test_the_engine_hands_the_npus_operators_to_its_delegate(
    trained: Trained, delegate: Path, tmp_path: Path
) -> None:
    compiled(trained, "ptq-int8", tmp_path)
    engine = engine_of(tmp_path, delegate)
    (source,), (sink,) = engine.io()["inputs"], engine.io()["outputs"]
    sample = np.arange(64, dtype=source["dtype"]).reshape(source["shape"])
    (answer,) = engine.infer(sample)
    np.testing.assert_array_equal(answer, np.arange(10, dtype=sink["dtype"])[None])
    assert engine.operators() == 1
    assert engine.conditions() == {"npu_operators": 1, "cpu_operators": 0}
    assert "ai-edge-litert" in engine.version()


def test_the_cpu_runs_the_operators_between(
    trained: Trained, delegate: Path, tmp_path: Path
) -> None:
    compiled(trained, "keep-float", tmp_path)
    engine = engine_of(tmp_path, delegate)
    (source,) = engine.io()["inputs"]
    low, high = (np.full(source["shape"], value, source["dtype"]) for value in (-100, 100))
    assert not np.array_equal(engine.infer(low)[0], engine.infer(high)[0])
    assert engine.conditions() == {"npu_operators": 2, "cpu_operators": 6}


def test_a_missing_part_is_told_from_the_others(
    trained: Trained, delegate: Path, tmp_path: Path
) -> None:
    compiled(trained, "ptq-int8", tmp_path)
    wrong = tmp_path / "text.so"
    wrong.write_text("no library")
    for library, device, said in (
        ("/usr/lib/none.so", "/dev/null", "none.so is not on this device; install"),
        (delegate, "/dev/no-npu", "there is no NPU at /dev/no-npu"),
        (wrong, "/dev/null", "cannot be loaded: .*file too short|invalid ELF"),
        (delegate, "/dev/zero", "the firmware of the NPU does not answer"),
    ):
        with pytest.raises(RuntimeError, match=said):
            engine_of(tmp_path, library, device)
