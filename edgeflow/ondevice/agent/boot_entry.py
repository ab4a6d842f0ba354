"""What starts the service of a model at boot: taken away with the model."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess

USERS_UNITS = os.path.join("~", ".config", "systemd", "user")
SYSTEMS_UNITS = os.path.join(os.sep, "etc", "systemd", "system")
LIMIT_S = 20


def leave_boot(folder: str) -> None:
    """Remove the unit of systemd and the line of cron that start the service in a folder.

    Another folder may have a model of the same name: only what names this one goes.
    """
    _leave_systemd(folder)
    _leave_cron(folder)


def _leave_systemd(folder: str) -> None:
    root = os.geteuid() == 0
    units = SYSTEMS_UNITS if root else os.path.expanduser(USERS_UNITS)
    unit = f"edgeflow-{os.path.basename(folder)}.service"
    path = os.path.join(units, unit)
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return
    if json.dumps(folder).replace("%", "%%").replace("$", "$$") not in text:
        return
    wanted = "multi-user" if root else "default"
    # By hand, as systemd does it: an account's own instance need not run now.
    for name in (os.path.join(units, f"{wanted}.target.wants", unit), path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
    if shutil.which("systemctl"):
        os.environ.setdefault("XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}")
        _ran("systemctl", *([] if root else ["--user"]), "daemon-reload")


def _leave_cron(folder: str) -> None:
    if not shutil.which("crontab"):
        return
    code, table = _ran("crontab", "-l")
    ends = f" serve {shlex.quote(folder)} start ".replace("%", r"\%")
    lines = table.splitlines()
    kept = [line for line in lines if not (line.startswith("@reboot ") and ends in line)]
    if code == 0 and kept != lines:
        _ran("crontab", "-", text="".join(line + "\n" for line in kept))


def _ran(*command: str, text: str = "") -> tuple[int, str]:
    """Run a program; return its exit code and what it printed, or -1 where it does not end."""
    try:
        done = subprocess.run(
            command,
            input=text.encode("utf-8", "surrogateescape"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=LIMIT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return -1, ""
    return done.returncode, done.stdout.decode("utf-8", "surrogateescape")
