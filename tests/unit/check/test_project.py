"""`edgeflow check`: all that is wrong at once, each at its line."""

import subprocess
import sys
from pathlib import Path

import pytest

from edgeflow.check.project import check_project
from edgeflow.errors import ConfigError

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
MODULES = {
    "fine_nets": """\
def build(keras, input_shape, classes, *, units=None):
    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten()(inputs)
    return keras.Model(inputs, keras.layers.Dense(units or classes)(x))
def crash(keras, input_shape, classes):
    return keras.layers.Cov2D(3)
def nothing(keras, input_shape, classes):
    pass
""",
    "missing_import_nets": "import frobnicate\ndef build(keras, shape, classes): ...\n",
    "exit_nets": "raise SystemExit\ndef build(keras, shape, classes): ...\n",
}
CONFIG = """\
datasets:
  digits: {source: digits}
  gone: {source: npz, path: gone.npz}
  odd: {source: image_folder, path: odd, size: [8, 8]}
models:
  fine: {dataset: digits, architecture: {name: "fine_nets:build"}}
  narrow: {dataset: digits, architecture: {name: "fine_nets:build", units: 3}}
  crash: {dataset: digits, architecture: {name: "fine_nets:crash"}}
  nothing: {dataset: digits, architecture: {name: "fine_nets:nothing"}}
  module: {dataset: gone, architecture: {name: "missing_import_nets:build"}}
  exits: {dataset: digits, architecture: {name: "exit_nets:build"}}
  pooled: {dataset: digits, architecture: {name: convnet, channels: [4, 4, 4, 4]}}
  pointer: {dataset: digits, source: pointer.onnx}
recipes:
  fp32: {}
targets:
  pi: {kind: litert}
devices:
  pi-1: {target: pi, transport: virtual, environment: locks/none.txt}
deployments: []
store: {path: pointer.onnx}
signing: {key: pointer.onnx}
"""
ALWAYS = {
    "datasets.gone.path": (3, "no file 'gone.npz'"),
    "datasets.odd.path": (4, "1.png (and 1 others) is only a Git LFS pointer"),
    "models.pointer.source": (13, "git lfs pull"),
    "devices.pi-1.environment": (19, "no folder locks"),
    "deployments": (20, "at least 1 item"),
    "store.path": (21, "is no folder"),
    "signing.key": (22, "is no key whose public half"),
}
BUILT = {
    "models.narrow.architecture": (7, "gives outputs of shape (None, 3)"),
    "models.crash.architecture": (8, "no attribute 'Cov2D' (fine_nets.py, line 6)"),
    "models.nothing.architecture": (9, "'NoneType' object has no attribute"),
    "models.module.architecture": (10, "'frobnicate' (missing_import_nets.py, line 1)"),
    "models.exits.architecture": (11, "SystemExit"),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration in which much is wrong."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name, source in MODULES.items():
        (tmp_path / f"{name}.py").write_text(source)
    (tmp_path / "pointer.onnx").write_text(POINTER)
    for name in ("1.png", "2.png"):
        (tmp_path / "odd/class").mkdir(parents=True, exist_ok=True)
        (tmp_path / "odd/class" / name).write_text(POINTER)
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


@pytest.mark.parametrize("fast", [True, False])
def test_all_is_found_at_once_with_its_line(project: Path, fast: bool) -> None:
    with pytest.raises(ConfigError) as caught:
        check_project(project / "config.yaml", fast=fast)
    found = {problem.path: problem for problem in caught.value.problems}
    wanted = ALWAYS if fast else ALWAYS | BUILT
    assert set(found) == set(wanted)
    for path, (line, says) in wanted.items():
        assert found[path].line == line
        assert says in found[path].message + found[path].hint


def test_a_quick_check_imports_no_tensorflow(project: Path) -> None:
    good = CONFIG.replace("[]", "[{model: fine, recipe: fp32, devices: [pi-1]}]")
    (project / "config.yaml").write_text(
        "\n".join(line for line in good.splitlines() if "gone" not in line and "odd" not in line)
        .replace(", environment: locks/none.txt", "")
        .replace("  pointer: {dataset: digits, source: pointer.onnx}", "")
        .replace("store: {path: pointer.onnx}", "")
        .replace("signing: {key: pointer.onnx}", "")
    )
    program = (
        "import sys; from pathlib import Path; from edgeflow.check.project import check_project\n"
        "check_project(Path('config.yaml'), fast=True); print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False\n", "")
