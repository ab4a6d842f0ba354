"""Put the uv that uv.lock names into a folder of our own.

Needs Python 3.11 and nothing else: pip does it where there is one (and knows the machine's
mirrors), else the wheel's address and digest in uv.lock do.
"""

import contextlib
import fcntl
import hashlib
import io
import platform
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "uv.lock"


def locked_uv() -> dict[str, Any]:
    """Return uv's entry of the lock."""
    packages = tomllib.loads(LOCK.read_text())["package"]
    entry: dict[str, Any] = next(package for package in packages if package["name"] == "uv")
    return entry


def with_pip(version: str, folder: Path) -> bool:
    """Install with pip; return whether there is a pip and it worked."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--upgrade", "--target", str(folder), f"uv=={version}"]
    return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0


def from_lock(entry: dict[str, Any], folder: Path) -> None:
    """Download the wheel for this machine, verify its digest, and unpack the program."""
    system = "-manylinux_" if sys.platform == "linux" else "-macosx_"
    ending = f"_{platform.machine()}.whl"
    wheels = [w for w in entry["wheels"] if system in w["url"] and w["url"].endswith(ending)]
    if not wheels:
        sys.exit(f"error: uv.lock has no uv for {platform.machine()}; install pip or uv yourself")
    wheel = wheels[0]
    with urllib.request.urlopen(wheel["url"], timeout=60) as answer:
        data = answer.read()
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != wheel["hash"]:
        sys.exit(f"error: {wheel['url']} is not what uv.lock says it is")
    archive = zipfile.ZipFile(io.BytesIO(data))
    member = next(name for name in archive.namelist() if name.endswith("/scripts/uv"))
    program = folder / "bin" / "uv"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_bytes(archive.read(member))
    program.chmod(0o755)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with this process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def get_uv(home: Path) -> Path:
    """Return the program, installed into `home` unless it is there; each version has its folder.

    It appears whole, by rename, and other processes wait for the one that installs it.
    """
    entry = locked_uv()
    program = home / str(entry["version"]) / "bin" / "uv"
    with locked(home / "lock"):
        if not program.exists():
            with tempfile.TemporaryDirectory(dir=home, prefix=".new-") as scratch:
                folder = Path(scratch) / entry["version"]
                done = with_pip(entry["version"], folder)
                if not done or not (folder / "bin" / "uv").exists():
                    from_lock(entry, folder)
                folder.rename(home / entry["version"])
    return program
