"""Prepares a device: looks at it, makes the engine's environment, lets a key in, recovers at boot.

Run as ``python -c SOURCE VERB ARGUMENTS`` by a host, through a login that may do anything. Standard
library only; Python 3.7 or newer; imports nothing of edgeflow. Prints one JSON object.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile

MARKER = "edgeflow.json"
BOOT_PROGRAM = os.path.join("bin", "agent.pyz")
UNIT = """\
[Unit]
Description=Resolve what a reboot interrupted in {root}

[Service]
Type=oneshot
ExecStart="{python}" -I "{program}" recover "{root}"

[Install]
WantedBy=default.target
"""
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


def read(path: str) -> str:
    """Return a text file; empty where there is none."""
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def write(path: str, text: str, mode: int) -> None:
    """Replace a file in one step that survives a power cut."""
    folder = os.path.dirname(path)
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
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
        "authorized": read(authorized_keys()).splitlines(),
        "boot": boot_by(),
        "boots": os.path.isfile(unit_path(root)) or cron_line(root) in crontab(),
        "recovers_by": os.path.basename(os.path.realpath(os.path.join(root, BOOT_PROGRAM))),
    }


def digests(folder: str) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder, by name; none where there is no folder."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    paths = {name: os.path.join(folder, name) for name in names}
    files = {name: path for name, path in paths.items() if os.path.isfile(path)}
    return {name: digest(path) for name, path in files.items()}


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
    kept = [line for line in read(path).splitlines() if blob not in line.split()]
    write(path, "".join(line + "\n" for line in [*kept, entry]), 0o600)
    return {"authorized": True}


def unit_name(root: str) -> str:
    """Return the name of the unit that recovers at boot."""
    return "edgeflow-recover{}.service".format(os.path.abspath(root).replace("/", "-"))


def unit_path(root: str) -> str:
    """Return the file of the unit that recovers at boot."""
    home = os.path.expanduser("~")
    return os.path.join(home, ".config", "systemd", "user", unit_name(root))


def cron_line(root: str) -> str:
    """Return the end of the line that recovers at boot, by which it is known again."""
    return "recover {}  # edgeflow".format(shlex.quote(os.path.abspath(root)))


def crontab() -> str:
    """Return the account's table; empty where there is none."""
    if not shutil.which("crontab"):
        return ""
    code, said = ran("crontab", "-l")
    return said if code == 0 else ""


def ran(*command: str, text: str = "") -> tuple[int, str]:
    """Run a program; return its exit code and what it printed."""
    done = subprocess.run(
        command, input=text.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.returncode, done.stdout.decode("utf-8", "replace")


def boot_by() -> str | None:
    """Return what starts programs of an account at boot, if anything."""
    if os.path.isdir("/run/systemd/system") and shutil.which("systemctl"):
        return "systemd"
    return "cron" if shutil.which("crontab") else None


def at_boot(root: str, python: str, agent: str) -> dict[str, Any]:
    """Let the agent resolve what a reboot interrupted, before anything asks for it.

    It is called by a link, so that what is entered stays true where another agent comes.
    """
    root = os.path.abspath(root)
    program = os.path.join(root, BOOT_PROGRAM)
    os.makedirs(os.path.dirname(program), exist_ok=True)
    relink(program, agent)
    enter = by_systemd if boot_by() == "systemd" else by_cron
    return enter(root, python, program)


def by_systemd(root: str, python: str, program: str) -> dict[str, Any]:
    """Enable a unit of the account; it runs at boot if the account lingers."""
    path = unit_path(root)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write(path, UNIT.format(root=root, python=python, program=program), 0o644)
    enable = ("systemctl", "--user", "enable", unit_name(root))
    for command in (enable, ("loginctl", "enable-linger")):
        code, said = ran(*command)
        if code:
            return {"failed": "`{}`: {}".format(" ".join(command), said)}
    return {"boots": "systemd"}


def by_cron(root: str, python: str, program: str) -> dict[str, Any]:
    """Add a line to the account's table."""
    end = cron_line(root)
    lines = [line for line in crontab().splitlines() if not line.endswith(end)]
    command = "{} -I {}".format(shlex.quote(python), shlex.quote(program))
    lines.append("@reboot {} {}".format(command, end))
    code, said = ran("crontab", "-", text="".join(line + "\n" for line in lines))
    if code:
        return {"failed": "`crontab`: " + said}
    return {"boots": "cron"}


def main(verb: str, *arguments: str) -> None:
    """Do what the command line says."""
    verbs: list[Callable[..., Any]] = [look, environment, online, use, authorize, at_boot]
    os.umask(0o022)
    print(json.dumps({one.__name__: one for one in verbs}[verb](*arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
