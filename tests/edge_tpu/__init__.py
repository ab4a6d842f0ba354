"""Stand-ins for what no registry has: Google's compiler for the Edge TPU, and libedgetpu."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def install_compiler(folder: Path, case: str = "plain") -> Path:
    """Put `edgetpu_compiler` into a folder; `compiler.py` says what the cases are."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "edgetpu_compiler"
    source = (HERE / "compiler.py").read_text()
    program.write_text(f"#!{sys.executable} -P\nCASE = {case!r}\n{source}")
    program.chmod(0o755)
    return program


def build_library(folder: Path, *flags: str) -> Path:
    """Compile the stand-in for libedgetpu; skips without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler: apt-get install gcc")
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "libedgetpu_stand_in.so"
    command = [compiler, "-shared", "-fPIC", "-O1", *flags, "-o", str(library)]
    subprocess.run([*command, str(HERE / "delegate.c")], check=True)
    return library


def write_model(path: Path, channels: int = 2) -> Path:
    """Write an int8 .tflite of five operators, two of them RESHAPE; its two inputs end in one."""
    from tests.unit.targets.mcu import nets

    net = nets.Net()
    image, bias = net.input((1, 4, 4, channels)), net.input((1, 6))
    flat = nets.reshape(net, nets.conv2d(net, image, 3), (1, 48))
    logits = nets.add(net, nets.fully_connected(net, flat, 6), bias)
    path.write_bytes(net.model(nets.reshape(net, logits, (1, 1, 6))))
    return path


def install_pycoral(folder: Path, module: str) -> None:
    """Put a package `pycoral` with one module into a folder, as a Debian package would."""
    about = folder / "pycoral-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: pycoral\nVersion: 1.0\n")
    path = folder / "pycoral" / module
    path.parent.mkdir(parents=True)
    path.touch()
