"""A worker that fails, crashes or changes what a model says is an error that says so."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError
from edgeflow.imported import conversion
from edgeflow.imported.conversion import convert
from edgeflow.imported.model import Request
from edgeflow.worker import run_worker
from tests.pythons import another_python, version_of

ROOT = Path(__file__).parents[3]
WORKER = """\
import ctypes, json, os, pathlib, signal, sys
from edgeflow.errors import CompileError

def work(job, folder):
    {body}
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a worker of one's own, whose module lies on the child's path."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def call(body: str) -> dict[str, Any]:
        (tmp_path / "my_worker.py").write_text(WORKER.format(body=body))
        folder = tmp_path / "job"
        folder.mkdir(exist_ok=True)
        return run_worker("my_worker", {"size": 2}, folder, title="mine", hint="do it again")

    return call


def test_a_result_comes_back(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    body = "return {'twice': 2 * job['size'], 'keras': os.environ.get('TF_USE_LEGACY_KERAS')}"
    assert run(body) == {"twice": 4, "keras": None}


@pytest.mark.parametrize(
    ("body", "message", "hint"),
    [
        ("raise CompileError('no such operator: Frob', hint='export')", "operator: Frob", "export"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crashed with SIGSEGV.*my_worker.py", "again"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "crashed with SIGKILL, likely for want", "again"),
        ("raise KeyError('frob')", "ended with exit code 1: KeyError: 'frob'\nTrace", "again"),
        ("os._exit(0)", "left no readable result.json", "again"),
        ("(folder / 'result.json').write_text('[1'); os._exit(0)", "no readable", "again"),
        ("(folder / 'result.json').write_text('[' * 99999); os._exit(0)", "no readable", "again"),
        ("return [1]", "no readable", "again"),
    ],
)
def test_a_worker_that_fails(run: Any, body: str, message: str, hint: str) -> None:
    with pytest.raises(CompileError, match=f"(?s)mine: .*{message}") as caught:
        run(body)
    assert hint in caught.value.hint
    assert caught.value.exit_code == 7


def test_a_refusal_without_a_hint_has_none(run: Any) -> None:
    bodies = (
        "error = CompileError('no'); error.hint = None; raise error",
        '(folder / \'result.json\').write_text(\'{"refusal": {"message": "no"}}\'); os._exit(0)',
    )
    for body in bodies:
        with pytest.raises(CompileError) as caught:
            run(body)
        assert str(caught.value) == "mine: no"


@pytest.fixture
def served(
    view: DatasetView,
    keras: Any,  # sets TensorFlow's threads, which nothing can do once it has run
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Any:
    """Import what a pretended worker leaves: a SavedModel, and outputs of the file."""
    import tensorflow as tf

    class Net(tf.Module):  # type: ignore[misc]  # untyped
        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 1), tf.float32)])  # type: ignore[untyped-decorator]
        def net(self, x: Any) -> Any:
            return tf.reshape(x, (-1, 64))[:, :10]

    net = Net()
    request = Request(source=tmp_path / "mine.onnx", dataset=view)

    def call(outputs: Any) -> Any:
        def pretend(worker: str, job: Any, folder: Path, **words: str) -> dict[str, Any]:
            assert np.load(folder / "input_00.npy").shape == (8, 8, 8, 1)
            assert folder.parent == tmp_path / "out"  # the step's own folder, which a kill leaves
            tf.saved_model.save(net, str(folder / "saved_model"), signatures=net.net)
            np.save(folder / "output_00.npy", outputs)
            return {"outputs": ["y"], "keys": ["y"], "inputs": ["x"]}

        monkeypatch.setattr(conversion, "run_worker", pretend)
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        convert("w", request, out, "hint")
        assert {path.name for path in out.iterdir()} == {"graph.pb"}

    return call


def test_equal_outputs_pass_and_others_do_not(served: Any, view: DatasetView) -> None:
    outputs = view.inputs("validation")[:8].reshape(8, 64)[:, :10]
    served(outputs)
    served(outputs[:, None, None])
    for wrong, message in (
        (outputs + 0.5, r"differ by up to 0\.5 after conversion"),
        (outputs + np.nan, "differ by up to nan"),
        (outputs[:, :1], r"shape \(1,\), and \(10,\) after conversion"),
        (outputs[:1], r"8 samples give outputs of shape \(1, 10\)"),
        (np.array([None]), "left no outputs to compare"),
    ):
        with pytest.raises(CompileError, match=message):
            served(wrong)


def test_the_child_is_of_this_interpreter_and_imports_nothing_from_its_folder(
    run: Any, tmp_path: Path
) -> None:
    (tmp_path / "job").mkdir()
    (tmp_path / "job/json.py").write_text("raise SystemExit('taken from the folder')")
    assert run("return {'python': sys.executable}")["python"] == sys.executable


OLD_WORKER = """\
import sys

class Refused(Exception):
    hint = "give it more"

def work(job, folder):
    if not job["size"]:
        raise Refused("nothing to do")
    (folder / "made").write_text("x" * job["size"])
    names = sorted(sys.modules)
    return {"python": list(sys.version_info[:2]), "edgeflow": "edgeflow" in names, "path": sys.path}
"""


@pytest.mark.parametrize("package", [False, True])
def test_a_worker_in_another_python_has_nothing_of_edgeflow(
    package: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = another_python()
    name = "lone_package" if package else "lone_worker"
    source = tmp_path / (f"{name}/__init__.py" if package else f"{name}.py")
    source.parent.mkdir(exist_ok=True)
    source.write_text(OLD_WORKER)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    folder = tmp_path / "job"
    folder.mkdir()
    words: Any = {"title": "mine", "hint": "again", "python": python}
    answer = run_worker(name, {"size": 3}, folder, **words)
    assert answer["python"] == list(version_of(python)) != list(sys.version_info[:2])
    assert not answer["edgeflow"]
    assert not [path for path in answer["path"] if Path(path).is_relative_to(ROOT)]
    assert (folder / "made").read_text() == "xxx"
    with pytest.raises(CompileError, match="mine: nothing to do") as caught:
        run_worker(name, {"size": 0}, folder, **words)
    assert caught.value.hint == "give it more"
