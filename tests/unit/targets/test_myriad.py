"""Movidius sticks: networks compiled by OpenVINO 2021.4 for both chips, with no stick."""

import json
import math
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from edgeflow.compress.evaluate import host_outputs
from edgeflow.dataset.tensors import Tensors, stored
from edgeflow.deploy.deploy import deploy
from edgeflow.errors import CompileError, DeployError, MissingToolError
from edgeflow.paths import workflow_folder
from edgeflow.predict.local import unpacked
from edgeflow.predict.samples import Samples
from edgeflow.targets.lint import lint
from edgeflow.targets.myriad import Myriad, MyriadOptions, network
from edgeflow.targets.myriad.blob import MAGIC, read_graph
from edgeflow.testing.subject import Subject, compile_input
from edgeflow.testing.trained import Trained
from edgeflow.testing.virtual_devices import stop_devices
from edgeflow.toolchain.environment import FOLDER, find_python
from tests.unit.packed import compile_tiny, members, pack_tiny

PLATFORMS = ("myriad-x", "myriad-2")


@pytest.fixture(autouse=True, scope="session")
def python_3_9() -> None:
    """Skip where there is no Python that OpenVINO 2021.4 runs in."""
    try:
        find_python("3.9")
    except MissingToolError as error:
        pytest.skip(str(error))


def options_of(**given: Any) -> MyriadOptions:
    return MyriadOptions.model_validate({"kind": "myriad", **given})


def compiled(trained: Trained, recipe: str, out: Path, **given: Any) -> Subject:
    options = options_of(**given)
    raw = options.model_dump()
    out.mkdir()
    return Subject(
        recipe=recipe,
        trained=trained,
        options=raw,
        runtime=Myriad.runtime(options),
        compiled=Myriad.compile(compile_input(Myriad, trained, recipe, raw, None), options, out),
        out=out,
    )


@pytest.fixture(scope="session")
def subjects(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Subject]:
    """The tiny float network on each platform."""
    folder = tmp_path_factory.mktemp("myriad")
    return {one: compiled(trained, "none", folder / one, platform=one) for one in PLATFORMS}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_graph_is_the_networks(subjects: dict[str, Subject], platform: str) -> None:
    subject = subjects[platform]
    content = (subject.out / "model.blob").read_bytes()
    graph = read_graph(content)
    assert content.startswith(MAGIC)
    assert [(one.dtype, one.shape) for one in graph.inputs] == [("float32", (1, 8, 8, 1))]
    assert [(one.dtype, one.shape) for one in graph.outputs] == [("float32", (1, 10))]
    # Only the Myriad X has hardware for convolutions.
    assert bool(graph.stages["cnn_engine"]) == (platform == "myriad-x")
    most = {"myriad-x": (16, 19), "myriad-2": (12, 12)}[platform]
    assert (graph.shaves, graph.cmx_slices) == most
    assert subject.compiled.operators == {"accelerator": sum(graph.stages.values())}
    assert subject.compiled.facts["graph"]["stages"] == graph.stages  # type: ignore[index, call-overload]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_network_answers_as_in_litert(subjects: dict[str, Subject], platform: str) -> None:
    subject = subjects[platform]
    answers, wanted = subject.outputs(subject.engine()).first, subject.trained.logits("none")
    # The weights are rounded to half precision, nothing else: logits go up to 12.
    assert 0 < np.abs(answers - wanted).max() <= subject.runtime.tolerance
    assert (answers.argmax(axis=1) == wanted.argmax(axis=1)).mean() >= 0.99


def test_the_reference_computes_in_float32(subjects: dict[str, Subject], tmp_path: Path) -> None:
    # OpenVINO takes bfloat16 for float32 where a CPU has it, 20 times further from this.
    import onnxruntime

    subject = subjects["myriad-x"]
    model = onnxruntime.InferenceSession(subject.out / "reference.onnx")
    (name,) = (one.name for one in model.get_inputs())
    samples = subject.trained.view().tensors("test").first
    wanted = np.concatenate([model.run(None, {name: one[None]})[0] for one in samples])
    answers = subject.outputs(subject.engine()).first
    assert np.abs(answers - wanted).max() <= 1e-4


def test_both_recipes_are_one_graph_from_any_process(
    subjects: dict[str, Subject], trained: Trained, tmp_path: Path
) -> None:
    # The VPU has half precision alone; each compilation is a process of its own.
    again = compiled(trained, "fp16", tmp_path / "out")
    ours, theirs = (one.out / "model.blob" for one in (again, subjects["myriad-x"]))
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"shaves": 4}, "give both"),
        ({"cmx_slices": 4}, "give both"),
        ({"shaves": 5, "cmx_slices": 4}, "a slice of its own"),
        ({"shaves": 13, "cmx_slices": 13, "platform": "myriad-2"}, "12 SHAVEs and 12 CMX"),
        ({"shaves": 17, "cmx_slices": 19}, "less than or equal to 16"),
        ({"shaves": 16, "cmx_slices": 20}, "less than or equal to 19"),
        ({"platform": "myriad"}, "myriad-x"),
    ],
)
def test_what_a_chip_has_not_is_no_option(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        options_of(**given)
    assert options_of(shaves=16, cmx_slices=19).shaves == 16


def test_damaged_graphs_are_refused(subjects: dict[str, Subject]) -> None:
    whole = (subjects["myriad-x"].out / "model.blob").read_bytes()
    draw = random.Random(7)
    damaged = [whole[: draw.randrange(len(whole))] for _ in range(100)]
    for content in (*damaged, b"", whole.replace(MAGIC, b"\x7fELF")):
        with pytest.raises(CompileError, match="is no VPU graph"):
            read_graph(content)
    for _ in range(300):
        changed = bytearray(whole)
        for _ in range(3):
            changed[draw.randrange(3000)] = draw.randrange(256)
        try:
            read_graph(bytes(changed))
        except CompileError:
            continue


def converted(function: Any, path: Path) -> Path:
    """Write a function of one float (1, 4) as .tflite."""
    import tensorflow as tf

    signature = [tf.TensorSpec((1, 4), tf.float32)]
    concrete = tf.function(function, input_signature=signature).get_concrete_function()
    path.write_bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert())
    return path


def test_what_the_vpu_lacks_is_named_before_and_when_it_compiles(
    trained: Trained, tmp_path: Path
) -> None:
    import tensorflow as tf

    model = converted(lambda x: tf.sin(x * 2.0) + tf.abs(x), tmp_path / "odd.tflite")
    warned = [one for one in lint(Myriad, model, options_of()) if one.severity == "warning"]
    assert sorted(one.place.split()[0] for one in warned) == ["ABS", "SIN"]
    assert all(len(one.operators) == 1 for one in warned)
    options = options_of()
    job = compile_input(Myriad, trained, "none", options.model_dump(), None)
    with pytest.raises(CompileError) as caught:
        Myriad.compile(replace(job, float_model=model), options, tmp_path)
    message = caught.value.message
    says = r"none: the VPU's compiler: Failed to compile layer \S+: unsupported layer type (\S+)"
    found = re.fullmatch(says, message)
    assert found
    assert found[1] in ('"Abs"', '"Sin"')
    assert caught.value.hint


@pytest.mark.parametrize("weight", [7e4, -7e4, math.nan])
def test_weights_beyond_half_precision_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weight: float
) -> None:
    from onnx import TensorProto, helper

    def export(model: Path, out: Path, opset: int) -> None:
        constant = helper.make_tensor("c", TensorProto.FLOAT, [2], [1.0, weight])
        graph = helper.make_graph(
            [helper.make_node("Add", ["x", "c"], ["y"])], "g", [], [], [constant]
        )
        out.write_bytes(helper.make_model(graph).SerializeToString())

    monkeypatch.setattr(network, "export_onnx", export)
    with pytest.raises(CompileError, match="ends at 65,504: a constant of the network is"):
        network.write_network(tmp_path / "model.tflite", tmp_path / "out.onnx")


def test_sticks_that_new_releases_do_not_start_are_warned_of(trained: Trained) -> None:
    model = trained.recipe("none") / "model.tflite"
    assert lint(Myriad, model, options_of()) == []
    (found,) = lint(Myriad, model, options_of(platform="myriad-2"))
    assert found.severity == "warning"
    assert "2020.3" in found.message
    assert not found.operators


def test_a_device_without_a_stick_says_so(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the network to a device that has OpenVINO and its plug-in, but nothing plugged in."""
    monkeypatch.chdir(tmp_path)
    manifest = compile_tiny(trained, "myriad", "none", tmp_path, shaves=4, cmx_slices=6)
    graph = read_graph((tmp_path / "compiled/model.blob").read_bytes())
    assert (graph.shaves, graph.cmx_slices) == (4, 6)
    reference = host_outputs(
        (trained.recipe("none") / "model.tflite").read_bytes(), trained.view().tensors("test")
    )
    outputs = np.load(tmp_path / "reference/output.npy")
    (output,) = manifest.facts["io"]["outputs"]
    assert np.abs(outputs - reference).max() <= output["tolerance"]
    packed = pack_tiny(trained, "myriad", "none", tmp_path)
    inside = members(tmp_path / "bundle.tar")
    assert {"model/model.blob", "model/myriad.json"} <= inside.keys()
    assert not any("onnx" in name for name in inside), "the host's file stays there"
    assert manifest.facts["size_bytes"] == packed.facts["model_bytes"]
    options = json.loads(inside["manifest.json"])["engine_options"]
    assert options == {"model": "model.blob", "config": {"MYRIAD_THROUGHPUT_STREAMS": "1"}}
    samples = stored(trained.view().raw("test"))
    two = Tensors({name: array[:2] for name, array in samples.arrays.items()})
    with unpacked(tmp_path / "bundle.tar") as here:  # as `edgeflow predict --local`
        answer = here.ask(Samples(names=("a", "b"), inputs=two))
    np.testing.assert_array_equal(answer.outputs.first, outputs[:2])
    lock = str(workflow_folder() / "envs/myriad-device.txt")
    device = {"transport": "virtual", "environment": lock, "python": "3.9", "timeout_s": 60.0}
    try:
        with pytest.raises(DeployError, match=r"\(exit code 1\): \w+: no stick is free.*hangs on"):
            deploy(
                tmp_path / "bundle.tar",
                {"name": "stick", "device": device},
                "code",
                tmp_path / "deploy.json",
            )
    finally:
        stop_devices(tmp_path)


def test_without_python_3_9_it_says_how_to_get_one(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "toolchains"))
    monkeypatch.setattr("edgeflow.toolchain.environment._candidates", lambda version: [])

    def written(model: Path, out: Path) -> dict[str, list[str]]:
        out.write_bytes(b"")
        return {"inputs": [], "outputs": []}

    monkeypatch.setattr("edgeflow.targets.myriad.compilation.write_network", written)
    with pytest.raises(MissingToolError, match=r"no Python 3\.9") as caught:
        compiled(trained, "none", tmp_path / "out")
    assert caught.value.exit_code == 3
    assert caught.value.hint == "run `uv python install 3.9`"
