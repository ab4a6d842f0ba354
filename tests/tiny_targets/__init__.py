"""Targets that are no Python call in edgeflow's own process, as a third party would add them.

`install` puts them beside a project, under the name `tiny_targets`.
"""

import shutil
import zipfile
from pathlib import Path

from edgeflow.remote.virtual.layout import Address, Behaviour, DeviceFolder

HERE = Path(__file__).parent
KINDS = {
    "tiny-child": "child:Child",
    "tiny-old-python": "old_python:OldPython",
    "tiny-hosted": "hosted:Board",
}
BUILDER = "compile_host.builder"
"""Folder of the virtual compile host `builder`."""

_COMPILER = """\
def compiled(model):
    if model[4:8] != b"TFL3":
        raise ValueError("tiny_compiler reads .tflite files")
    return model
"""
_PROGRAM = """\
#!/bin/sh
if [ "$1" = --version ]; then echo 'tinyc {version}'; exit; fi
[ "$(head -c 8 "$1" | tail -c 4)" = TFL3 ] || {{ echo 'no .tflite file' >&2; exit 1; }}
echo compiling; cp "$1" "$2"
"""


def install(folder: Path) -> None:
    """Copy the package into a folder of `sys.path`, with the metadata of an installed one."""
    package = folder / "tiny_targets"
    shutil.copytree(HERE, package, ignore=shutil.ignore_patterns("__pycache__"))
    metadata = folder / "tiny_targets-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-targets\nVersion: 1.0\n")
    entries = [f"{kind} = tiny_targets.{place}" for kind, place in KINDS.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[edgeflow.targets]", *entries, ""]))
    wheel = _wheel(folder)
    (package / "old-python.txt").write_text(f"tiny-compiler @ {wheel.as_uri()}\n")


def _wheel(folder: Path) -> Path:
    """Write a package that a lock can name without a network."""
    path = folder / "tiny_compiler-1.0-py3-none-any.whl"
    about = "Metadata-Version: 2.1\nName: tiny-compiler\nVersion: 1.0\n"
    tags = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {
        "tiny_compiler.py": _COMPILER,
        "tiny_compiler-1.0.dist-info/METADATA": about,
        "tiny_compiler-1.0.dist-info/WHEEL": tags,
    }
    names = [*files, "tiny_compiler-1.0.dist-info/RECORD"]
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(names[-1], "".join(f"{name},,\n" for name in names))
    return path


def install_compiler(state: Path, version: str) -> DeviceFolder:
    """Put `tinyc` on the PATH of the virtual compile host of a project."""
    host = DeviceFolder(state / BUILDER)
    program = host.root / "bin/tinyc"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(_PROGRAM.format(version=version))
    program.chmod(0o755)
    host.behave(Behaviour(login='PATH="$HOME/bin:$PATH"'))
    return host


def as_real(host: DeviceFolder) -> dict[str, object]:
    """Return the section of a virtual compile host that listens, as that of a real one."""
    address = host.address()
    assert address is not None
    return section_of(address)


def section_of(address: Address) -> dict[str, object]:
    """Return where a virtual device listens as the section of a real one."""
    return {
        "transport": "ssh",
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "host_key": address.host_key,
        "identity": str(address.identity),
    }
