"""Libraries for each CPU, others under QEMU's user mode: their numbers count, not their time."""

import os
import platform
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from edgeflow.artifact.manifest import describe_files
from edgeflow.exported.onnx import export_onnx
from edgeflow.ondevice.engine_iree import Engine
from edgeflow.targets import iree
from edgeflow.targets.iree import IREE, OPSET, TOLERANCE, IREEOptions
from edgeflow.targets.worker import Worker
from edgeflow.testing.trained import Trained
from tests.system.conftest import ENABLE

CALLER = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

/* For each input of argv[2] bytes at standard input, an output of argv[3] bytes. */
int main(int count, char **argv) {
  void *library = count == 4 ? dlopen(argv[1], RTLD_NOW) : NULL;
  if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
  int (*load)(void) = (int (*)(void))dlsym(library, "edgeflow_load");
  int (*run)(void) = (int (*)(void))dlsym(library, "edgeflow_run");
  void *(*input)(int) = (void *(*)(int))dlsym(library, "edgeflow_input");
  void *(*output)(int) = (void *(*)(int))dlsym(library, "edgeflow_output");
  if (load()) return 2;
  while (fread(input(0), atoi(argv[2]), 1, stdin) == 1) {
    if (run()) return 3;
    fwrite(output(0), atoi(argv[3]), 1, stdout);
  }
  return 0;
}
"""
MACHINES = {"aarch64": 183, "riscv64": 243, "x86_64": 62}
"""`e_machine` of their ELF files."""


def emulated(library: Path, arch: str, inputs: NDArray[np.float32], classes: int) -> NDArray[Any]:
    """Return what a library answers, called by a program that the distribution's compiler made."""
    compiler, emulator = f"{arch}-linux-gnu-gcc", f"qemu-{arch}-static"
    for program in (compiler, emulator):
        if shutil.which(program) is None:
            pytest.skip(f"needs {program}; {ENABLE}")
    folder = library.parent
    (folder / "caller.c").write_text(CALLER)
    subprocess.run([compiler, "caller.c", "-o", "caller"], cwd=folder, check=True)
    sizes = (str(inputs[0].nbytes), str(4 * classes))
    settings = {"QEMU_CPU": "rv64,v=true,vlen=256"} if arch == "riscv64" else {}
    command = [emulator, "-L", f"/usr/{arch}-linux-gnu", "./caller", f"./{library.name}", *sizes]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **settings},
        input=inputs.tobytes(),
        capture_output=True,
        check=True,
    )
    return np.frombuffer(done.stdout, np.float32).reshape(-1, classes)


@pytest.fixture(scope="module")
def exported(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network as ONNX, written once: that takes longer than all the rest."""
    path = tmp_path_factory.mktemp("exported") / "model.onnx"
    export_onnx(trained.job("none").float_model, path, OPSET)
    return path


@pytest.mark.parametrize(
    ("arch", "features"),
    [("aarch64", []), ("riscv64", []), ("riscv64", ["+v"]), ("x86_64", [])],
    ids=["aarch64", "riscv64", "riscv64-vectors", "x86_64"],
)
def test_a_library_answers_like_litert(
    arch: Literal["aarch64", "riscv64", "x86_64"],
    features: list[str],
    trained: Trained,
    exported: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(iree, "export_onnx", lambda _, out, __: shutil.copyfile(exported, out))
    options = IREEOptions(kind="iree", arch=arch, features=features)
    worker = Worker(title=arch, toolchain=IREE.toolchain(options))
    job = replace(trained.job("none"), worker=worker)
    for name in ("once", "again"):
        (tmp_path / name).mkdir()
        IREE.compile(job, options, tmp_path / name)
    library = tmp_path / "once" / "model.so"
    assert describe_files(tmp_path / "once") == describe_files(tmp_path / "again")
    assert int.from_bytes(library.read_bytes()[18:20], "little") == MACHINES[arch]

    inputs, reference = trained.view().tensors("test").first, trained.logits("none")
    if arch == platform.machine():
        engine = Engine(str(library.parent), {"model": "model.json"})
        answers = np.concatenate([engine.infer(sample[None])[0] for sample in inputs])
    else:
        answers = emulated(library, arch, inputs, reference.shape[1])
    np.testing.assert_allclose(answers, reference, rtol=0, atol=TOLERANCE)
    assert np.std(reference) > 1000 * TOLERANCE
