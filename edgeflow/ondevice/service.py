"""Runs the model that is current on this device as a service, release after release.

Standard library only, its workers need numpy and the engine; Python 3.7 or newer; imports nothing
of edgeflow. ``python -B current/runner.py serve MODEL_DIR [run | start | stop | health]`` runs it:
`run` stays in the foreground, `start` returns once it is ready. The others print one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import IO, Any, Iterator

sys.dont_write_bytecode = True  # a release with more files than its manifest lists is damaged

if __package__:
    from . import client, service_front, service_http  # noqa: TID252  # shipped without a package
else:  # in a bundle, whose modules lie side by side
    import client  # type: ignore[import-not-found,no-redef]
    import service_front  # type: ignore[import-not-found,no-redef]
    import service_http  # type: ignore[import-not-found,no-redef]

DEFAULTS: dict[str, Any] = {
    "http_port": None,
    "queue": 16,
    "request_mb": 8.0,
    "time_limit_s": 10.0,
    "memory_limit_mb": None,
    "keep": {"below": None, "quota_mb": 64.0},
    "unit": {},
}
EX_TEMPFAIL = 75  # sysexits.h: another one serves the model
START_S = 120.0
STOP_S = 60.0


class Place:
    """What the service has in the model's folder."""

    def __init__(self, model_dir: str) -> None:
        self.model_dir = os.path.abspath(model_dir)
        self.folder = os.path.join(self.model_dir, "run")
        os.makedirs(self.folder, mode=0o700, exist_ok=True)

    def path(self, name: str) -> str:
        """Return the path of one of its files."""
        return os.path.join(self.folder, name)

    def options(self) -> dict[str, Any]:
        """Return the options in ``service.json``, and the defaults of those not there."""
        with contextlib.suppress(FileNotFoundError), open(self.path("service.json")) as file:
            return {**DEFAULTS, **json.load(file)}
        return dict(DEFAULTS)

    @contextlib.contextmanager
    def locked(self) -> Iterator[IO[str] | None]:
        """Hold the lock; None if the service that runs has it."""
        with open(self.path("service.lock"), "a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            yield file

    def pid(self) -> int | None:
        """Return the process that serves; None if none does."""
        with self.locked() as free:
            if free is not None:
                return None
        with open(self.path("service.lock")) as file:
            text = file.read()
        return int(text) if text.isdigit() else None

    def health(self) -> dict[str, Any]:
        """Ask the service how it is."""
        try:
            with client.Client(self.model_dir, timeout_s=5.0) as asking:
                return {"running": True, **asking.health()}
        except (OSError, client.ServiceError, ValueError) as error:
            return {"running": False, **self._why_silent(error)}

    def _why_silent(self, error: Exception) -> dict[str, Any]:
        """Say why no service answers: a process that was told to end leaves an empty lock."""
        with self.locked() as free:
            if free is None:
                return {"failed": True, "detail": "it runs and does not answer: %s" % error}
            free.seek(0)
            pid = free.read()
        if not pid:
            return {"failed": False, "detail": "it was stopped"}
        said = _last_line(self.path("service.log"))
        return {"failed": True, "detail": "it died (process %s)%s" % (pid, said and ": " + said)}


def run(place: Place) -> int:
    """Serve until a signal says to stop."""
    with place.locked() as lock:
        if lock is None:
            print("another service has %s" % place.path("service.lock"), file=sys.stderr)
            return EX_TEMPFAIL
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        _serve(place)
        lock.truncate(0)  # it was told to end: one that dies leaves its process
    return 0


def _serve(place: Place) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    options = place.options()
    front = service_front.Front(place.model_dir, options)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place.path("service.sock"))
    servers: list[Any] = [service_http.UnixServer(place.folder)]
    try:
        if options["http_port"] is not None:
            servers.append(service_http.LoopbackServer(options["http_port"]))
        for server in servers:
            server.serve(front, int(options["request_mb"] * 1e6))
        front.follow(stop)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place.path("service.sock"))
        for server in servers:
            server.server_close()


def by_systemd(place: Place) -> list[str] | None:
    """Return the command that starts the service's unit; None where none is installed."""
    system = os.geteuid() == 0
    manager = ["systemctl"] if system else ["systemctl", "--user"]
    # A login over SSH need not say where the account's own systemd is.
    os.environ.setdefault("XDG_RUNTIME_DIR", "/run/user/%d" % os.geteuid())
    unit = "edgeflow-%s.service" % os.path.basename(place.model_dir)
    try:
        text = subprocess.run([*manager, "cat", unit], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    # Another folder on this device may have a model of this name.
    folder = json.dumps(place.model_dir).replace("%", "%%").replace("$", "$$")
    mine = folder in text.decode("utf-8", "replace")
    return [*manager, "start", unit] if mine else None


def begin(place: Place) -> Any:
    """Start the service, by systemd where that has a unit of it; return its process, or None."""
    starting = by_systemd(place)
    if starting is not None and subprocess.run(starting, check=False).returncode == 0:
        return None
    # Always appended to, so that it can be cut while it is written.
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC
    log = os.open(place.path("service.log"), flags, 0o600)
    command = [sys.executable, "-B", os.path.abspath(__file__), place.model_dir, "run"]
    try:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    finally:
        os.close(log)


def start(place: Place) -> dict[str, Any]:
    """Start the service if it does not run, and wait until it serves what is current."""
    begun = begin(place) if place.pid() is None else None
    deadline = time.monotonic() + START_S
    while True:
        health = place.health()
        if begun is not None and begun.poll() is not None and place.pid() is None:
            return {"running": False, "detail": _last_line(place.path("service.log"))}
        failed = "does not start" in str(health.get("fault"))
        settled = failed or health.get("current") in (None, health.get("release"))
        if (health["running"] and settled) or time.monotonic() > deadline:
            return health
        time.sleep(0.05)


def _last_line(path: str) -> str:
    """Return what the service printed last, if it has a log of its own: its end is enough."""
    try:
        with open(path, errors="replace") as file:
            return file.read()[-1000:].strip().rpartition("\n")[2][-300:]
    except FileNotFoundError:
        return ""


def stop(place: Place) -> dict[str, Any]:
    """Let the service answer what waits, and end."""
    pid, deadline = place.pid(), time.monotonic() + STOP_S
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    while place.pid() is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    return {"running": place.pid() is not None, "stopped": pid is not None}


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model_dir")
    actions = ("run", "start", "stop", "health")
    parser.add_argument("action", nargs="?", choices=actions, default="run")
    arguments = parser.parse_args()
    place = Place(arguments.model_dir)
    if arguments.action == "run":
        return run(place)
    act = {"start": start, "stop": stop, "health": Place.health}[arguments.action]
    print(json.dumps(act(place), sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
