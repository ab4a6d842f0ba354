"""A project for an Edge TPU: without its compiler, and from data to gate with stand-ins."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from edgeflow.paths import workflow_folder
from tests import edge_tpu
from tests.workflow.conftest import CONFIG, Project, make_project

GATES = {"accelerator_share_min": 0.5, "offchip_streamed_bytes_max": 0, "accuracy_min": 0.3}


def configuration(library: str) -> dict[str, Any]:
    raw = copy.deepcopy(CONFIG)
    raw["datasets"]["digits"]["limit"] = 300
    raw["recipes"] = {"int8": {"quantize": "ptq-int8"}}
    raw["targets"] = {
        "pi": {"kind": "litert"},
        "coral": {"kind": "edgetpu", "library": library, "compiler": "/no/such/edgetpu_compiler"},
    }
    raw["devices"] = {
        "pi-1": {"target": "pi", "transport": "virtual"},
        "coral-1": {
            "target": "coral",
            "transport": "virtual",
            "unit": {"usb": 1},
            # Not the interpreter of the host: libedgetpu goes with older ones alone.
            "environment": str(workflow_folder() / "envs/edgetpu-device.txt"),
        },
    }
    shared = {"model": "tiny", "recipe": "int8", "measure": {"samples": 20, "runs": 10}}
    raw["deployments"] = [
        {**shared, "devices": ["pi-1"]},
        {**shared, "devices": ["coral-1"], "gates": GATES},
    ]
    return raw


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("coral")
    library = edge_tpu.build_library(folder)
    made = make_project(folder / "project", configuration(str(library)))
    yield made
    made.stop_devices()


def test_an_edge_tpu_without_and_with_its_compiler(project: Project) -> None:
    # An operator that no Edge TPU takes, for the linter to name.
    (project.folder / "net.py").write_text(
        "def build(keras, input_shape, classes):\n"
        "    inputs = keras.Input(input_shape)\n"
        "    x = keras.layers.LeakyReLU()(keras.layers.Conv2D(8, 3)(inputs))\n"
        "    x = keras.layers.Flatten()(x)\n"
        "    return keras.Model(inputs, keras.layers.Dense(classes)(x))\n"
    )
    raw = configuration(str(project.folder.parent / "libedgetpu_stand_in.so"))
    raw["models"]["tiny"]["architecture"] = {"name": "net:build"}
    project.write_config(raw)

    done = project.command("edgeflow", "run", "--cores", "2", "--keep-going")
    assert done.returncode == 3, done.stdout + done.stderr
    ended = {event["name"]: event["exit_code"] for event in project.events()}
    assert ended["coral/tiny/int8"] == 3
    assert ended["pi-1/tiny"] == 0
    log = (project.folder / "logs/compile/coral.tiny.int8.log").read_text()
    assert "warning" in log
    assert "LEAKY_RELU" in log
    assert "apt-get install edgetpu-compiler" in log
    page = (project.folder / "results/report/index.html").read_text()
    assert "LEAKY_RELU" in page

    program = edge_tpu.install_compiler(project.folder.parent / "opt", "partial")
    raw["targets"]["coral"]["compiler"] = str(program)
    project.write_config(raw)
    project.build()
    compiled = project.folder / "results/targets/coral/tiny/int8/compile.json"
    assert json.loads(compiled.read_bytes())["tools"][str(program)].endswith("16.0.384591198")
    assert not compiled.with_name("lint.json").exists()
    device = project.folder / "results/devices/coral-1/tiny"
    record = json.loads((device / "validation.json").read_bytes())
    assert record["conditions"]["engine"] == "tflite-runtime 2.14.0, Edge TPU runtime 14"
    assert record["conditions"]["edge_tpus"] == ["usb:1"]
    assert record["conditions"]["delegated_nodes"] == 1
    gates = {
        gate["name"]: gate for gate in json.loads((device / "gates.json").read_bytes())["gates"]
    }
    share = gates["accelerator_share_min"]
    assert share["passed"]
    assert share["value"] == record["figures"]["accelerator_share"] < 1
    assert gates["offchip_streamed_bytes_max"]["value"] == 0
    assert project.would_run() == {}
