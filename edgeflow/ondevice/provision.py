"""Prepares a device: looks at it, makes the engine's environment, lets a key in, recovers at boot.

Run as ``python -c SOURCE VERB ARGUMENTS`` by a host, through a login that may do anything. Standard
library only; Python 3.7 or newer; imports nothing of edgeflow. Prints one JSON object.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
from functools import partial

MARKER = "edgeflow.json"
LINGERS = "/var/lib/systemd/linger"
BOOT_PROGRAM = os.path.join("bin", "agent.pyz")
# Vixie's cron and those after it, fcron, and busybox, for an account without a table.
NO_TABLE = re.compile(r"no (fcron|cron)tab for |has no fcrontab|can't open '[^/']+': No such file")
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable


def base_python() -> str:
    """Return the interpreter below any virtual environment."""
    name = "python{}.{}".format(*sys.version_info[:2])
    found = os.path.join(sys.base_prefix, "bin", name)
    return os.path.realpath(found if os.path.exists(found) else sys.executable)


def libc() -> str:
    """Return the C library, such as ``glibc 2.36``; ``musl`` where it does not say."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "musl"
    except (ValueError, OSError):
        return "musl"


class Unread(Exception):
    """What is there cannot be read: it must not be replaced as if nothing were."""


def read(path: str) -> str:
    """Return a text file, any bytes of it; empty only where there is none.

    Raises:
        Unread: there is one.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise Unread(f"{path}: {error.strerror}") from error


def write(path: str, text: str, mode: int) -> None:
    """Replace a file in one step that survives a power cut."""
    folder = os.path.dirname(path)
    with tempfile.NamedTemporaryFile(
        "w", dir=folder, delete=False, encoding="utf-8", errors="surrogateescape"
    ) as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    os.replace(file.name, path)
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def look(root: str) -> dict[str, Any]:
    """Say what the device is and what was provisioned; nothing is changed."""
    root = os.path.abspath(root)
    current = os.path.join(root, "env", "current")
    return {
        "root": root,
        "python": platform.python_version(),
        "base_python": base_python(),
        "machine": platform.machine(),
        "bits": 8 * struct.calcsize("P"),
        "libc": libc(),
        "environment": os.path.basename(os.readlink(current)) if os.path.islink(current) else None,
        "programs": digests(os.path.join(root, "bin")),
        "trust": digests(os.path.join(root, "trust")),
        "authorized": lines_of(lambda: read(authorized_keys())),
        "boot": boot_by(),
        "is_root": os.geteuid() == 0,
        "units": texts(units(), "edgeflow-"),
        "crontab": lines_of(crontab),
        "recovers_by": os.path.basename(os.path.realpath(os.path.join(root, BOOT_PROGRAM))),
    }


def lines_of(text: Callable[[], str]) -> list[str] | None:
    """Return the lines of a text, to look at; None where it cannot be read."""
    try:
        return text().encode("utf-8", "replace").decode().splitlines()
    except Unread:
        return None


def files(folder: str) -> dict[str, str]:
    """Return the path of each file in a folder, by name; none where there is no folder."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    paths = {name: os.path.join(folder, name) for name in names}
    return {name: path for name, path in paths.items() if os.path.isfile(path)}


def digests(folder: str) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder, by name."""
    return {name: digest(path) for name, path in files(folder).items()}


def texts(folder: str, begins: str) -> dict[str, str]:
    """Return the text of each file whose name begins so, to look at; empty if it is unreadable."""
    named = {name: path for name, path in files(folder).items() if name.startswith(begins)}
    return {name: "\n".join(lines_of(partial(read, path)) or []) for name, path in named.items()}


def digest(path: str) -> str:
    """Return the hex SHA-256 of a file."""
    result = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            result.update(block)
    return result.hexdigest()


def environment(root: str, key: str, archive: str) -> dict[str, Any]:
    """Unpack packages into an environment of their own, and make it the current one.

    It is made by hand: neither `venv` nor `pip` need be there, which some systems leave out.
    """
    parent = os.path.join(os.path.abspath(root), "env")
    scratch = os.path.join(parent, ".tmp-" + key)
    packages = begin(scratch)
    with tarfile.open(archive) as tar:
        for member in tar:
            inside = os.path.normpath(os.path.join(packages, member.name))
            plain = member.isfile() or member.isdir()
            if not plain or not inside.startswith(packages + os.sep):
                sys.exit("no place for {!r} of the archive".format(member.name))
            tar.extract(member, packages)
    compiled = [sys.executable, "-I", "-m", "compileall", "-q", "-j", "0", packages]
    ran(*compiled)  # else each start does it
    os.unlink(archive)
    return finish(parent, key)


def begin(scratch: str) -> str:
    """Make an empty virtual environment; return the folder of its packages."""
    shutil.rmtree(scratch, ignore_errors=True)
    base = base_python()
    version = "python{}.{}".format(*sys.version_info[:2])
    packages = os.path.join(scratch, "lib", version, "site-packages")
    os.makedirs(packages)
    os.makedirs(os.path.join(scratch, "bin"))
    os.symlink(base, os.path.join(scratch, "bin", "python"))
    settings = "home = {}\ninclude-system-site-packages = false\n".format(os.path.dirname(base))
    write(os.path.join(scratch, "pyvenv.cfg"), settings, 0o644)
    return packages


def online(root: str, key: str, lock: str) -> dict[str, Any]:
    """Let the device's own pip install a lock file from the registry, as the current one."""
    parent = os.path.join(os.path.abspath(root), "env")
    scratch = os.path.join(parent, ".tmp-" + key)
    shutil.rmtree(scratch, ignore_errors=True)
    makes = [base_python(), "-I", "-m", "venv", scratch]
    pip = [os.path.join(scratch, "bin", "python"), "-I", "-m", "pip", "install", "--quiet"]
    safe = ["--disable-pip-version-check", "--require-hashes", "--only-binary=:all:", "-r", lock]
    for command in (makes, [*pip, *safe]):
        code, said = ran(*command)
        if code:
            shutil.rmtree(scratch, ignore_errors=True)
            return {"failed": said[-2000:]}
    os.unlink(lock)
    return finish(parent, key)


def finish(parent: str, key: str) -> dict[str, Any]:
    """Bring an environment to the disk, give it its name, and switch to it."""
    scratch, folder = os.path.join(parent, ".tmp-" + key), os.path.join(parent, key)
    write(os.path.join(scratch, MARKER), json.dumps({"key": key}), 0o644)
    os.sync()
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(scratch, folder)
    return use(parent, key)


def use(parent: str, key: str) -> dict[str, Any]:
    """Make a finished environment the current one, in one step."""
    if not os.path.isfile(os.path.join(parent, key, MARKER)):
        return {"used": False}
    relink(os.path.join(parent, "current"), key)
    os.sync()
    return {"used": True}


def relink(path: str, target: str) -> None:
    """Let a link point elsewhere, in one step."""
    link = path + ".tmp"
    if os.path.lexists(link):
        os.unlink(link)
    os.symlink(target, link)
    os.replace(link, path)


def authorized_keys() -> str:
    """Return the file of the keys that may log in to this account."""
    return os.path.join(os.path.expanduser("~"), ".ssh", "authorized_keys")


def authorize(entry: str) -> dict[str, Any]:
    """Let a key in with the given line alone; other lines of that key go, all else stays."""
    path, blob = authorized_keys(), entry.split()[-1]
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        os.mkdir(folder, 0o700)
    try:
        kept = [line for line in read(path).splitlines() if blob not in line.split()]
    except Unread as error:
        return {"failed": str(error)}
    write(path, "".join(line + "\n" for line in [*kept, entry]), 0o600)
    return {"authorized": True}


def units() -> str:
    """Return the folder of systemd's units: the system's for root, else the account's own."""
    own = os.path.join(os.path.expanduser("~"), ".config", "systemd", "user")
    return "/etc/systemd/system" if os.geteuid() == 0 else own


def crontab() -> str:
    """Return the account's table, any bytes of it; empty only where it has none.

    Raises:
        Unread: the program does not say.
    """
    if not shutil.which("crontab"):
        return ""
    command, pipe = ("crontab", "-l"), subprocess.PIPE
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)
    if done.returncode == 0:
        return done.stdout.decode("utf-8", "surrogateescape")
    said = done.stderr.decode("utf-8", "replace").strip()
    if not done.stdout and NO_TABLE.search(said):
        return ""
    raise Unread(f"`crontab -l` (exit code {done.returncode}): {said}")


def ran(*command: str, text: str = "") -> tuple[int, str]:
    """Run a program; return its exit code and what it printed."""
    given = text.encode("utf-8", "surrogateescape")
    done = subprocess.run(command, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def boot_by() -> str | None:
    """Return what starts programs of an account at boot, if anything."""
    if os.path.isdir("/run/systemd/system") and shutil.which("systemctl"):
        return "systemd"
    return "cron" if shutil.which("crontab") else None


def link(root: str, agent: str) -> dict[str, Any]:
    """Say which agent runs at boot, by a link: what is entered there stays true."""
    program = os.path.join(os.path.abspath(root), BOOT_PROGRAM)
    os.makedirs(os.path.dirname(program), exist_ok=True)
    relink(program, agent)
    return {}


def unit(name: str, text: str) -> dict[str, Any]:
    """Enter a unit of systemd; an account's own runs at boot if the account lingers."""
    root = os.geteuid() == 0
    # A login over SSH need not say where the account's own systemd is.
    os.environ.setdefault("XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}")
    if not root and not os.path.exists(os.path.join(LINGERS, getpass.getuser())):
        code, said = ran("loginctl", "enable-linger")
        if code:
            return {"failed": "`loginctl enable-linger`: " + said}
    os.makedirs(units(), exist_ok=True)
    write(os.path.join(units(), name), text, 0o644)
    manager = ("systemctl",) if root else ("systemctl", "--user")
    for command in ((*manager, "daemon-reload"), (*manager, "enable", name)):
        code, said = ran(*command)
        if code:
            return {"failed": "`{}`: {}".format(" ".join(command), said)}
    return {}


def cron(line: str, mark: str) -> dict[str, Any]:
    """Enter a line of the account's table, in the place of those that have the same mark."""
    try:
        lines = [it for it in crontab().splitlines() if mark not in it]
    except Unread as error:
        return {"failed": str(error)}
    code, said = ran("crontab", "-", text="".join(it + "\n" for it in [*lines, line]))
    return {"failed": "`crontab`: " + said} if code else {}


def main(verb: str, *arguments: str) -> None:
    """Do what the command line says."""
    verbs: list[Callable[..., Any]] = [look, environment, online, use, authorize, link, unit, cron]
    os.umask(0o022)
    print(json.dumps({one.__name__: one for one in verbs}[verb](*arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
