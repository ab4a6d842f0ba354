"""The packages of a lock file for another machine: resolved here, as one archive."""

import gzip
import hashlib
import re
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgeflow.console import say
from edgeflow.errors import MissingToolError
from edgeflow.output import run_logged
from edgeflow.text import tail

_GLIBC = re.compile(r"glibc 2\.([0-9]{1,3})")
# What uv knows of: https://docs.astral.sh/uv/reference/cli/ (--python-platform).
_MANYLINUX = (17, 28, *range(31, 41))
_MACHINES = ("x86_64", "aarch64")


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What decides which wheels fit.

    Attributes:
        title: what messages call it.
        machine: as the kernel calls it, such as ``aarch64``.
        bits: of a pointer; a 64-bit kernel may run a 32-bit system.
        libc: such as ``glibc 2.36``, or ``musl``.
        python: version, such as ``3.11``.
    """

    title: str
    machine: str
    bits: int
    libc: str
    python: str

    def platform(self) -> str:
        """Return it as uv names it.

        Raises:
            MissingToolError: the registry has no wheels for it.
        """
        glibc = _GLIBC.match(self.libc)
        if self.bits == 64 and self.machine == "riscv64" and glibc:
            return "riscv64-unknown-linux"
        if self.bits == 64 and self.machine in _MACHINES:
            if self.libc == "musl":
                return f"{self.machine}-unknown-linux-musl"
            fit = [minor for minor in _MANYLINUX if glibc and minor <= int(glibc[1])]
            if fit:
                return f"{self.machine}-manylinux_2_{fit[-1]}"
        raise MissingToolError(
            f"the registry has no packages for {self.title} ({self.machine}, {self.bits} bits, "
            f"{self.libc})",
            hint="install numpy and the engine there from its distribution, and set `python` of "
            "the device to the interpreter that has them",
        )


def key(lock: Path, machine: Machine) -> str:
    """Return the name of the environment that a lock file makes on a machine."""
    facts = f"{machine.machine} {machine.bits} {machine.libc} {machine.python}"
    return hashlib.sha256(lock.read_bytes() + facts.encode()).hexdigest()


def archive(lock: Path, machine: Machine, store: Path) -> Path:
    """Return a .tar.gz of the installed packages, made once for each machine and lock.

    Raises:
        MissingToolError: a package has no wheel for the machine, or cannot be had.
    """
    from filelock import FileLock

    platform = machine.platform()
    path = store.absolute() / f"device-{key(lock, machine)}.tar.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            say(f"fetching the packages of {lock.name} for {platform}, Python {machine.python}")
            with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
                _install(lock, platform, machine, Path(scratch) / "packages")
                part = Path(scratch) / path.name
                _pack(Path(scratch) / "packages", part)
                part.replace(path)
    return path


def _install(lock: Path, platform: str, machine: Machine, folder: Path) -> None:
    from uv import find_uv_bin

    wheels = ("--only-binary", ":all:", "--require-hashes", "--link-mode", "copy")
    fits = ("--python-platform", platform, "--python-version", machine.python)
    command = [find_uv_bin(), "pip", "install", "--quiet", "--target", str(folder), *wheels, *fits]
    done = run_logged([*command, "--requirements", str(lock)])
    if done.exit_code != 0:
        raise MissingToolError(
            f"the packages of {lock} cannot be had for {machine.title} ({platform}, Python "
            f"{machine.python}):\n{tail(done.stderr)}",
            hint="is the network up? does the lock cover that version of Python? another lock: "
            "--lock FILE; another interpreter there: `python` of the device",
        )


def _pack(folder: Path, path: Path) -> None:
    """Write the files of a folder with nothing of this machine in the archive."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for file in _files(folder):
            member = tar.gettarinfo(file, file.relative_to(folder).as_posix())
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime, member.mode = 0, 0o644
            with file.open("rb") as content:
                tar.addfile(member, content)


def _files(folder: Path) -> Iterator[Path]:
    """Yield what is imported; programs of packages would start the interpreter of this machine."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.is_file() and inside[0] != "bin" and "__pycache__" not in inside:
            yield path
