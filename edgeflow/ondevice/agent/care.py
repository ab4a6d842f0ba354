"""What keeps a device tidy, and what its services said."""

from __future__ import annotations

import os
import shutil
import subprocess

from .clear import prune
from .data import UNUSED_S, discard_unused
from .files import unblocked
from .folders import discard, is_folder, size_bytes
from .lock import locked
from .look import program_sha256
from .model import Model

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .answer import Json

LOG_MAX_BYTES = 64 << 10
JOURNAL_S = 20


def gc(options: argparse.Namespace) -> Json:
    """Remove old releases of all models, unused data, and what provisioning replaced."""
    root = os.path.abspath(options.root_dir)
    before = size_bytes(root) if is_folder(root) else 0
    for name in sorted(os.listdir(root)) if is_folder(root) else ():
        folder = os.path.join(root, name)
        if is_folder(Model(folder).releases):
            options.model_dir = folder
            prune(options)
    data = os.path.join(root, "data")
    if is_folder(data):
        with locked(data, "gc"):
            discard_unused(data, "", UNUSED_S)
    discard_replaced(root)
    return {"freed_bytes": max(0, before - (size_bytes(root) if is_folder(root) else 0))}


def discard_replaced(root: str) -> None:
    """Remove environments that are not current, and agents other than this one."""
    own = os.path.join(root, "bin", "agent-{}.pyz".format(program_sha256()))
    links = [os.path.join(root, *link) for link in (("env", "current"), ("bin", "agent.pyz"))]
    stay = [own, *links, *[os.path.realpath(link) for link in links]]
    for folder, begins in (("env", ""), ("bin", "agent-")):
        place = os.path.join(root, folder)
        for name in os.listdir(place) if is_folder(place) else ():
            path = os.path.join(place, name)
            stays = path in stay or os.path.realpath(path) in stay
            if name.startswith(begins) and not stays and not in_use(path):
                discard(path)


def in_use(path: str) -> bool:
    """Tell whether a process of this account runs a program, or has a library, from a path."""
    word = os.path.realpath(path).encode()
    for number in filter(str.isdigit, os.listdir("/proc")):
        for name in ("cmdline", "maps"):
            try:
                with open(f"/proc/{number}/{name}", "rb") as file:
                    if word in file.read():
                        return True
            except OSError:  # it ended, or is somebody else's
                continue
    return False


def logs(options: argparse.Namespace) -> Json:
    """Return the last lines that a model's service printed."""
    folder = os.path.abspath(options.model_dir)
    lines = of_journal(os.path.basename(folder), options.last)
    return {"lines": lines or of_file(os.path.join(folder, "run", "service.log"), options.last)}


def of_file(path: str, last: int) -> list[str]:
    """Return the last lines of a file, none where there is none."""
    try:
        with open(path, "rb", opener=unblocked) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LOG_MAX_BYTES))
            text = file.read(LOG_MAX_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-last:] if last > 0 else []


def of_journal(model: str, last: int) -> list[str]:
    """Return what systemd keeps of a service; none where it keeps nothing."""
    program = shutil.which("journalctl")
    if program is None:
        return []
    unit = f"edgeflow-{model}.service"
    whose = ["--unit"] if os.geteuid() == 0 else ["--user", "--unit"]
    command = [program, "--quiet", "--no-pager", "--lines", str(last), *whose, unit]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=JOURNAL_S
        )
    except subprocess.TimeoutExpired:
        return []
    text = done.stdout.decode("utf-8", "replace")[-LOG_MAX_BYTES:]
    return text.splitlines()[-last:] if done.returncode == 0 else []
