"""Exported C: what is in the folder, and what happens to what was there."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.errors import CompileError, ConfigError
from edgeflow.targets.mcu.export import prefix
from edgeflow.targets.mcu.export.export import export
from edgeflow.targets.mcu.export.folder import RECORD
from edgeflow.targets.mcu.export.layout import Layout
from edgeflow.targets.mcu.settings import Settings
from tests.unit.targets.mcu import nets
from tests.unit.targets.mcu.identity import expected
from tests.unit.targets.mcu.nets import Net

pytest.importorskip("tflite_micro")  # it comes for x86-64 Linux alone

KWS = Settings(name="kws")


def dense(seed: int = 0) -> bytes:
    net = Net(seed)
    hidden = nets.fully_connected(net, net.input((1, 12)), 9, activation="RELU")
    return net.model(nets.fully_connected(net, hidden, 3))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "kws.tflite"
    path.write_bytes(dense())
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_equal_models_give_equal_bytes(model: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    again = tmp_path / "elsewhere/other.tflite"
    again.write_bytes(model.read_bytes())
    export(model, tmp_path / "a", KWS)
    export(again, tmp_path / "b", KWS)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_two_networks_link_into_one_program(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tflite"
    other.write_bytes(dense(seed=1))
    export(model, tmp_path / "one", KWS, layouts=[Layout.PLAIN])
    export(other, tmp_path / "two", Settings(name="wake_2"), layouts=[Layout.PLAIN])
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "kws.h"\n#include "wake_2.h"\n'
        "int main(void)\n{\n    int8_t in[KWS_INPUT_BYTES] = {1}, a[3], b[WAKE_2_OUTPUT_BYTES];\n"
        "    kws_init(); wake_2_init(); kws_invoke(in, a); wake_2_invoke(in, b);\n"
        '    printf("%d %d %d %d %d %d", a[0], a[1], a[2], b[0], b[1], b[2]);\n}\n'
    )
    sources = ["main.c", "one/src/kws.c", "two/src/wake_2.c"]
    run(["cc", "-std=c99", "-Ione/src", "-Itwo/src", *sources, "-o", "program"], tmp_path)
    sample = np.eye(1, 12, dtype=np.int8)
    wanted = [expected(dense(seed), "tflm", [[sample]])[0][0].ravel() for seed in (0, 1)]
    printed = [int(word) for word in run(["./program"], tmp_path).split()]
    assert printed == list(np.concatenate(wanted))
    assert not (tmp_path / "one/CMakeLists.txt").exists()


def test_two_networks_by_cmsis_nn_link_with_cmsis_nn_itself(tmp_path: Path) -> None:
    net = Net()
    path = tmp_path / "a.tflite"
    path.write_bytes(net.model(nets.conv2d(net, net.input((1, 4, 4, 2)), 3)))
    for name in ("one", "two"):
        export(path, tmp_path / name, Settings(name=name, kernels="cmsis-nn"), layouts=[])
    (tmp_path / "main.c").write_text(
        '#include "one.h"\n#include "two.h"\nvoid arm_convolve_s8(void);\n'
        "void arm_convolve_s8(void) {}\n"
        "int main(void)\n{\n    static int8_t in[32], out[48];\n    arm_convolve_s8();\n"
        "    one_invoke(in, out);\n    two_invoke(in, out);\n}\n"
    )
    sources = [str(path) for name in ("one", "two") for path in (tmp_path / name).glob("src/*.c")]
    run(["cc", "-std=c99", "-Ione/src", "-Itwo/src", "main.c", *sources, "-o", "program"], tmp_path)
    run(["./program"], tmp_path)


def test_a_folder_that_is_not_empty_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    export(model, tmp_path / "out", KWS)
    before = contents(tmp_path / "out")
    with pytest.raises(ConfigError, match="is not empty"):
        export(model, tmp_path / "out", Settings(name="other"))
    with pytest.raises(ConfigError, match="File exists|Not a directory"):
        export(model, model / "out", KWS)
    assert contents(tmp_path / "out") == before


def test_force_replaces_an_export_and_nothing_else(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(model, out, KWS)
    (out / "src/mine.c").write_text("mine")
    export(model, out, Settings(name="other"), layouts=[Layout.CMAKE], force=True)
    assert {*contents(out)} == {
        *("src/mine.c", "src/other.c", "src/other.h", "src/other_kernels.h"),
        *("README.md", "CMakeLists.txt", "examples/main.c", RECORD),
    }
    assert not (out / "zephyr").exists()


def test_a_link_to_a_folder_is_that_folder(model: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")
    export(model, tmp_path / "link", KWS)
    export(model, tmp_path / "link", KWS, force=True)
    assert (tmp_path / "out/src/kws.c").is_file()


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("src/kws.c", lambda path: path.write_text("edited")),
        ("src/kws.c", lambda path: (path.unlink(), path.mkdir())),
        ("README.md", lambda path: (path.unlink(), path.symlink_to("src/kws.c"))),
        (RECORD, lambda path: path.write_text('{"files": 3}')),
    ],
)
def test_force_touches_nothing_that_was_edited(
    file: str, change: Any, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export(model, out, KWS)
    change(out / file)
    before = contents(out)
    with pytest.raises(ConfigError, match=f"{file} is not as an export made it"):
        export(model, out, Settings(name="other"), force=True)
    assert contents(out) == before


def test_a_record_cannot_name_files_elsewhere(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(model, out, KWS)
    record = json.loads((out / RECORD).read_text())
    names = ("../kws.tflite", str(model))
    record["files"] |= dict.fromkeys(names, record["model_sha256"])
    (out / RECORD).write_text(json.dumps(record))
    export(model, out, KWS, force=True)
    assert model.exists()


def test_a_failure_leaves_nothing(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str, **_: Any) -> int:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(Exception, match="No space left"):
        export(model, tmp_path / "out", KWS)
    assert list(tmp_path.iterdir()) == [model]


def test_models_that_are_no_int8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "float.tflite"
    for content, why in ((b"", "no .tflite"), (b"\0\0\0\0TFL3", "damaged")):
        path.write_bytes(content)
        with pytest.raises(CompileError, match=why):
            export(path, tmp_path / "out", KWS)
    for dtype, how in (("float32", "computes in float"), ("int16", "computes in int16")):
        net = Net()
        x, y = net.input((1, 4), dtype=dtype), net.tensor((1, 4), dtype=dtype)
        net.operator("RELU", [x], [y])
        path.write_bytes(net.model(y))
        with pytest.raises(CompileError, match=how) as caught:
            export(path, tmp_path / "out", KWS)
        assert "quantize: ptq-int8" in caught.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("labels", "why"), [(["a"], "has 1 labels, and the first output 3"), (["a\0", "b", "c"], "NUL")]
)
def test_labels_must_fit(labels: list[str], why: str, model: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=why):
        export(model, tmp_path / "out", KWS, labels=labels)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("My KWS-v2.tflite", "my_kws_v2"),
        ("3_math.tflite", "model"),
        ("2024-digits.tflite", "digits"),
        ("ünï.tflite", "n"),
        ("a_name_that_is_far_too_long_for_c.tflite", "a_name_that_is_far_too_l"),
    ],
)
def test_names_from_files(file: str, name: str) -> None:
    assert prefix.of_file(Path(file)) == name
    assert prefix.refusal(name) == ""


@pytest.mark.parametrize(
    "name", ["KWS", "a__b", "_a", "1a", "a-b", "nn", "string", "test", "x" * 25, ""]
)
def test_names_that_cannot_be(name: str) -> None:
    assert prefix.refusal(name)
