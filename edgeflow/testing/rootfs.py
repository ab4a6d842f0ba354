"""The file system of an emulated Raspberry Pi: Debian for arm64 with LiteRT, which QEMU runs."""

import hashlib
import inspect
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgeflow.errors import MissingToolError
from edgeflow.output import run_logged
from edgeflow.paths import lock_file
from edgeflow.text import tail

PACKAGES = (
    *("base-files", "bash", "busybox-static", "coreutils", "dash", "grep", "gzip", "libc-bin"),
    *("libstdc++6", "openssh-client", "python3", "sed", "tar", "util-linux"),
)
SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
PYTHON = "3.11"
"""That of the suite."""
PLATFORM = "aarch64-manylinux_2_28"
# As the server of the machine that runs the board reads them, its own account is among them.
_PROGRAMS = ("mmdebstrap", "zstd", "tar", "chroot")
_ACCOUNTS = {
    "passwd": "root:x:0:0::/root:/bin/bash\n"
    "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
    "pi:x:1000:1000::/home/pi:/bin/sh\n",
    "shadow": "root:*:19000::::::\nsshd:*:19000::::::\npi:*:19000::::::\n",
    "group": "root:x:0:\npi:x:1000:\n",
}
_WARM = "import argparse, ctypes, hashlib, json, tarfile, zipfile, ai_edge_litert.interpreter"


def missing() -> list[str]:
    """Return the programs that making and unpacking it needs, and which are not there."""
    return [name for name in _PROGRAMS if shutil.which(name) is None]


def archive(cache: Path) -> Path:
    """Return the packed file system, made as root if it is not in `cache` yet.

    Its packages come from Debian's mirror and from the Python registry, those by hash.

    Raises:
        MissingToolError: a program is missing or fails, for example for want of a network.
    """
    from filelock import FileLock

    if names := missing():
        raise MissingToolError(
            f"an emulated board needs {', '.join(names)}",
            hint=f"apt-get install {' '.join(name for name in names if name != 'chroot')}",
        )
    lock = lock_file("envs/litert-device.txt")
    made_by = inspect.getsource(sys.modules[__name__]).encode()
    key = hashlib.sha256(made_by + lock.read_bytes()).hexdigest()
    packed = cache / f"arm64-{key[:16]}.tar.zst"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(packed.with_suffix(".lock")):
        if not packed.exists():
            with tempfile.TemporaryDirectory(dir=cache) as scratch:
                _make(Path(scratch), lock).replace(packed)
    return packed


def unpack(packed: Path, folder: Path) -> Path:
    """Unpack it as root into a new folder, which is returned."""
    folder.mkdir(parents=True)
    _run(["tar", "--extract", "--zstd", "--file", str(packed), "--directory", str(folder)])
    return folder


def _make(scratch: Path, lock: Path) -> Path:
    tree, packed = scratch / "tree", scratch / "tree.tar.zst"
    tree.mkdir(mode=0o755)
    _run(
        [
            *("mmdebstrap", "--quiet", "--variant=extract", "--mode=root", "--skip=check/qemu"),
            *("--architectures=arm64", f"--include={','.join(PACKAGES)}", SUITE),
            *(str(scratch / "base.tar"), MIRROR),
        ]
    )
    _run(["tar", "--extract", "--file", str(scratch / "base.tar"), "--directory", str(tree)])
    # The scripts of the packages, which would make these, never ran.
    for name, text in _ACCOUNTS.items():
        (tree / "etc" / name).write_text(text)
    _install(lock, tree / f"usr/local/lib/python{PYTHON}/dist-packages")
    # Bytecode of what programs there import; their account may not write it.
    _run(["chroot", str(tree), "/usr/bin/python3", "-c", _WARM])
    _run(["tar", "--create", "--zstd", "--file", str(packed), "--directory", str(tree), "."])
    return packed


def _install(lock: Path, site: Path) -> None:
    from uv import find_uv_bin

    site.mkdir(parents=True)
    where = ("--python-platform", PLATFORM, "--python-version", PYTHON, "--target", str(site))
    options = ("--quiet", "--require-hashes", "--only-binary", ":all:", "--requirements", str(lock))
    _run([find_uv_bin(), "pip", "install", *where, *options])


def _run(command: Sequence[str]) -> None:
    done = run_logged(command)
    if done.exit_code != 0:
        raise MissingToolError(
            f"{Path(command[0]).name} failed:\n{tail(done.stderr)}",
            hint="check the network, and that this runs as root with QEMU's binfmt handlers",
        )


def runs_arm64() -> bool:
    """Return whether the kernel hands programs for arm64 to QEMU in any root (flag F)."""
    handler = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64")
    try:
        flags = [line for line in handler.read_text().splitlines() if line.startswith("flags:")]
    except OSError:
        return platform.machine() == "aarch64"
    return any("F" in line.partition(":")[2] for line in flags)
