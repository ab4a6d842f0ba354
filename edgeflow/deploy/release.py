"""A device as deploy, validate and gate see it: releases, data files, programs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgeflow.console import say
from edgeflow.deploy.device.bundles import Bundles
from edgeflow.deploy.device.care import Care
from edgeflow.deploy.device.files import Files
from edgeflow.deploy.device.programs import Programs
from edgeflow.deploy.device.trials import Trials
from edgeflow.errors import DeployError
from edgeflow.remote.inventory import Endpoint, endpoint, parse_device
from edgeflow.remote.session import Session

LOCKS = Path(".edgeflow/locks")


class OpenDevice(Bundles, Trials, Files, Programs, Care):
    """A device with an open session and its agent in place."""


@contextmanager
def connect(where: Endpoint) -> Iterator[OpenDevice]:
    """Open a session to an endpoint."""
    with Session(where) as session:
        yield OpenDevice(session)


@contextmanager
def open_device(slice_: Mapping[str, Any]) -> Iterator[OpenDevice]:
    """Open the device of a deploy step's slice; one session of this project at a time.

    Args:
        slice_: `name` and `device`, as in `Plan.deploy(device).slice`.

    Raises:
        DeployError: the device refuses the login, or is in use for too long.
        UnreachableError: it does not answer.
        MissingToolError: it has no usable Python.
    """
    device = parse_device(slice_["device"])
    name = slice_["name"]
    with held(name, device.run_timeout_s), connect(endpoint(name, device)) as opened:
        yield opened


@contextmanager
def held(name: str, timeout_s: float) -> Iterator[None]:
    """Hold a device of this project; one process or thread at a time has it.

    Raises:
        DeployError: it is in use for longer than `timeout_s`.
    """
    from filelock import FileLock, Timeout

    LOCKS.mkdir(parents=True, exist_ok=True)
    lock = FileLock(LOCKS / f"{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"device {name} is in use by another process; waiting")
        try:
            lock.acquire(timeout=timeout_s)
        except Timeout as error:
            raise DeployError(
                f"device {name} has been in use by another process for {timeout_s:g} s",
                hint=f"find it: fuser {LOCKS / f'{name}.lock'}",
            ) from error
    try:
        yield
    finally:
        # While it is held: who opened the file before looks again, and takes a new one. A fleet
        # of ten thousand leaves no ten thousand files.
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()
