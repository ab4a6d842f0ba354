"""`edgeflow export c`, from the command to a program that runs."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgeflow.targets.mcu.generate import generate
from tests.unit.cli.conftest import Cli
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import expected
from tests.unit.targets.mcu.nets import Net
from tests.unit.targets.mcu.test_export import dense, run

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone


def test_the_command_exports_and_the_example_runs(cli: Cli, project: Path) -> None:
    (project / "kws.tflite").write_bytes(dense())
    (project / "labels.txt").write_text("yes\nno\nde*/ça\n", encoding="utf-8")
    done = cli(
        *("export", "c", "kws.tflite", "-o", "new/out", "--labels", "labels.txt", "--json"),
        options=("-X", "importtime"),
    )
    assert done.returncode == 0, done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert not imported & {"tensorflow", "tflite_micro", "edgeflow.targets.litert", "snakemake"}
    said, out = json.loads(done.stdout), project / "new/out"
    assert said["folder"] == "new/out"
    assert (said["arena_bytes"], said["macs"]) == (9, 135)
    assert said["constants_bytes"] == generate(dense()).weights_bytes
    assert [block["name"] for block in said["memory"]] == ["t3"]
    assert list((project / "new").iterdir()) == [out]  # no scratch folder stays
    sample = np.arange(-6, 6, dtype=np.int8)
    (out / "sample").write_bytes(sample.tobytes())
    sources = ["src/kws.c", "examples/main.c"]
    strict = ["cc", "-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Isrc"]
    run([*strict, *sources, "-o", "program"], out)
    [wanted] = expected(dense(), "tflm", [[sample.reshape(1, 12)]])
    lines = run(["./program", "sample"], out).splitlines()
    values = [line.split(",")[0] for line in lines]
    assert values == [f"out[{n}] = {value}" for n, value in enumerate(wanted[0].ravel())]
    assert [line.rpartition(": ")[2] for line in lines] == ["yes", "no", "de*/ça"]
    assert len(run(["./program"], out).splitlines()) == 3
    assert subprocess.run([out / "program", "absent"], capture_output=True).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["absent.tflite"], 2, "no file absent.tflite"),
        (["damaged.tflite"], 7, "no .tflite, or damaged"),
        (["damaged.tflite", "--name", "int-8"], 2, "'int-8' is not"),
        (["damaged.tflite", "--labels", "absent.txt"], 2, "absent.txt: No such file"),
    ],
)
def test_what_cannot_be_exported(
    arguments: list[str], code: int, why: str, cli: Cli, project: Path
) -> None:
    (project / "damaged.tflite").write_bytes(dense()[:100])
    done = cli("export", "c", *arguments, "-o", "out")
    assert done.returncode == code
    assert why in " ".join(done.stderr.split())
    assert not (project / "out").exists()


def test_a_model_of_the_project_brings_its_labels_and_name(cli: Cli, project: Path) -> None:
    slice_ = json.dumps({"source": "digits", "limit": 200, "calibration": 20})
    arguments = ("--name", "digits", "--slice", slice_, "--code", "0")
    assert cli("dataset", *arguments, "--out", "results/datasets/digits").returncode == 0
    net = Net()
    model = project / "results/models/cnn/int8/model.tflite"
    model.parent.mkdir(parents=True)
    model.write_bytes(net.model(nets.fully_connected(net, net.input((1, 64)), 10)))
    said = json.loads(cli("export", "c", "cnn/int8", "-o", "out", "--json").stdout)
    assert said["labels"] == [str(digit) for digit in range(10)]
    assert (project / "out/src/cnn.h").is_file()
