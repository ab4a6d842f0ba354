"""A device with a file system and processes of its own, behind OpenSSH's server; needs root.

It lives in a private mount and process namespace: nothing is mounted for anybody else, and all of
it ends at once, as by a power cut, when its first process is killed. With a root file system of
another architecture it is an emulated board, whose programs QEMU runs.
"""

import os
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeflow.testing import openssh
from edgeflow.testing.openssh import Sshd

USER = "pi"
HOME = "/home/pi"
COUNTING_PYTHON = "/usr/local/bin/counting-python"
"""On an emulated board: an interpreter that tells programs how many instructions they ran."""
CPU = "cortex-a72"
"""That of a Raspberry Pi 4: engines choose their kernels by it. QEMU's own default has instructions
that no such board has, and some of which QEMU 7.2 computes wrongly."""
_QEMU = "qemu-aarch64"
_PATH = "/usr/local/bin:/usr/bin:/bin"

STORAGE = 'mount --bind "$BOARD_DISK" "$at$BOARD_HOME"'
"""Mounts the account's home: by default a folder of this machine, which outlives the board."""

_NAMESPACE = r"""
set -eu
mount -t tmpfs -o mode=755 board /run
mkdir /run/sshd /run/board /run/upper /run/work
cp "$BOARD_KEYS" /run/authorized_keys
at=
if [ -n "$BOARD_ROOTFS" ]; then
    at=/run/board
    mount -t overlay -o "lowerdir=$BOARD_ROOTFS,upperdir=/run/upper,workdir=/run/work" board $at
    for name in passwd shadow group; do
        mount --bind "$at/etc/$name" "/etc/$name"
    done
    mount -t tmpfs -o mode=755 board $at/dev
    for name in null zero random urandom tty; do
        touch "$at/dev/$name"
        mount --bind "/dev/$name" "$at/dev/$name"
    done
    mount -t tmpfs -o mode=755 board $at/sys
    mkdir -p $at/sys/devices/system/cpu "$at$BOARD_HOME"
    echo 0-3 > $at/sys/devices/system/cpu/possible
    echo 0-3 > $at/sys/devices/system/cpu/present
fi
mount -t proc proc "$at/proc"
[ -z "$BOARD_ROOTFS" ] || mount --bind "$BOARD_CPUINFO" "$at/proc/cpuinfo"
mount --bind "$BOARD_BOOT_ID" "$at/proc/sys/kernel/random/boot_id"
[ -n "$BOARD_ROOTFS" ] || [ ! -e ~/.bashrc ] || mount --bind /dev/null ~/.bashrc
eval "$BOARD_STORAGE"
eval "$BOARD_PREPARE"
exec "$@"
"""
"""Run by the first process: `at` is where the board's root is."""

_COUNTING = r"""
for name in lib64 lib/x86_64-linux-gnu usr/lib/x86_64-linux-gnu; do
    [ -d "/$name" ] || continue
    mkdir -p "$at/$name"
    mount --bind "/$name" "$at/$name"
done
mkdir -p $at/usr/local/bin $at/usr/local/lib
cp "$BOARD_PLUGIN" $at/usr/local/lib/instructions.so
cp "$BOARD_QEMU" $at/usr/local/bin/qemu
cp "$BOARD_COUNTING_PYTHON" $at/usr/local/bin/counting-python
chmod 755 $at/usr/local/bin/counting-python
"""


_CORE = """processor	: {}
BogoMIPS	: 108.00
Features	: fp asimd evtstrm crc32 cpuid
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x0
CPU part	: 0xd08
CPU revision	: 3

"""
_CPUINFO = "".join(map(_CORE.format, range(4))) + "Hardware	: BCM2711, emulated\n"
"""As a Raspberry Pi 4 has it: QEMU shows programs that of the real CPU, which engines trip over."""

_COUNTING_PYTHON = """#!/bin/sh
exec /usr/local/bin/qemu -plugin /usr/local/lib/instructions.so -0 "$0" /usr/bin/python3 "$@"
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Board:
    """A running board.

    Attributes:
        sshd: how to get in; its home is the account's, as the board names it.
        root: its file system, as seen from here.
        init: its first process, which all others end with.
        python: interpreter there.
    """

    sshd: Sshd
    root: Path
    init: int
    python: str

    @property
    def home(self) -> Path:
        """The account's home, as seen from here."""
        return self.root / self.sshd.home.relative_to("/")

    def run(self, *command: str) -> None:
        """Run a program of this machine that sees the board's mounts, such as `mount`."""
        enter = ("/usr/bin/nsenter", f"--target={self.init}", "--mount")
        subprocess.run([*enter, *command], check=True)

    def cut_power(self) -> None:
        """End everything that runs there, at once."""
        os.kill(self.init, signal.SIGKILL)

    def section(self) -> dict[str, Any]:
        """Return the device's section of a configuration, without its target."""
        return {
            "transport": "ssh",
            "host": "127.0.0.1",
            "port": self.sshd.port,
            "user": self.sshd.user,
            "host_key": self.sshd.host_key,
            "identity": str(self.sshd.identity),
            "path": f"{self.sshd.home}/edgeflow",
            "python": self.python,
            "trust": "transport",
        }


@contextmanager
def boot(
    folder: Path,
    rootfs: Path | None = None,
    *,
    storage: str = STORAGE,
    prepare: str = "",
    counting: bool = False,
) -> Iterator[Board]:
    """Run a board until the block ends; needs root.

    Args:
        folder: holds its disk, which stays for the next boot, and its keys.
        rootfs: its file system, which stays as it is: the board writes to memory. By default the
            board shares that of this machine, and its account.
        storage: shell commands that mount the account's home; `$at` is the board's root,
            `$BOARD_HOME` the home there, `$BOARD_DISK` a folder that outlives the board.
        prepare: shell commands that change the board's file system before it starts.
        counting: whether it has `COUNTING_PYTHON`, for which this machine needs a C compiler and a
            `qemu-aarch64` that takes plug-ins; it is then the board's interpreter.

    Raises:
        RuntimeError: it does not start; its log says why.
    """
    home, disk = (HOME if rootfs else "/mnt"), folder / "disk"
    disk.mkdir(parents=True, exist_ok=True)
    if rootfs:
        os.chown(disk, 1000, 1000)
    keys = folder / f"keys{len(list(folder.glob('keys*')))}"
    (folder / "cpuinfo").write_text(_CPUINFO)
    (folder / "boot_id").write_text(f"{uuid.uuid4()}\n")
    variables = {
        "BOARD_KEYS": str(keys / "authorized_keys"),
        "BOARD_ROOTFS": str(rootfs or ""),
        "BOARD_HOME": home,
        "BOARD_DISK": str(disk),
        "BOARD_CPUINFO": str(folder / "cpuinfo"),
        "BOARD_BOOT_ID": str(folder / "boot_id"),
        "BOARD_STORAGE": storage,
        "BOARD_PREPARE": prepare + (_counting(folder) if counting else ""),
    }
    env = ["env", *(f"{name}={value}" for name, value in variables.items())]
    namespaces = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
    settings = ["AuthorizedKeysFile /run/authorized_keys"]
    if rootfs:
        settings += ["ChrootDirectory /run/board", f"SetEnv PATH={_PATH} QEMU_CPU={CPU}"]
    enter = (*env, *namespaces, "sh", "-c", _NAMESPACE, "sh")
    with openssh.serve(keys, *settings, home=Path(home), enter=enter) as sshd:
        init = int(Path(f"/proc/{sshd.pid}/task/{sshd.pid}/children").read_text().split()[0])
        python = "/usr/bin/python3" if rootfs else sys.executable
        yield Board(
            sshd=replace(sshd, user=USER) if rootfs else sshd,
            root=Path(f"/proc/{init}/root/run/board" if rootfs else f"/proc/{init}/root"),
            init=init,
            python=COUNTING_PYTHON if counting else python,
        )


def counts() -> bool:
    """Return whether this machine can run a board with `COUNTING_PYTHON`."""
    qemu = shutil.which(_QEMU)
    if qemu is None or shutil.which("cc") is None or platform.machine() != "x86_64":
        return False
    said = subprocess.run([qemu, "--help"], capture_output=True, text=True, check=False).stdout
    return "-plugin" in said


def _counting(folder: Path) -> str:
    """Return the commands that put `COUNTING_PYTHON` onto a board."""
    plugin, program = folder / "instructions.so", folder / "counting-python"
    source = Path(__file__).with_name("qemu_instructions.c")
    command = [_found("cc"), "-shared", "-fPIC", "-O2", "-o", str(plugin), str(source)]
    subprocess.run(command, check=True)
    program.write_text(_COUNTING_PYTHON)
    variables = {"PLUGIN": plugin, "QEMU": _found(_QEMU), "COUNTING_PYTHON": program}
    lines = (f"BOARD_{name}={shlex.quote(str(path))}\n" for name, path in variables.items())
    return f"\n{''.join(lines)}{_COUNTING}"


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise RuntimeError(f"this machine has no {program}")
    return path
