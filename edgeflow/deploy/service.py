"""The service of a model on a device: started, stopped and asked over SSH."""

import json
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from edgeflow.config.service import Service
from edgeflow.deploy.agent_answer import Unserved
from edgeflow.deploy.release import OpenDevice
from edgeflow.errors import DeployError
from edgeflow.remote.answer import Answer, Count, Quantity, Sha256, Words

LOCK = "service.lock"
"""File in the folder `run` of a model that has had a service."""
ACTION_S = 180.0
"""Longer than the program on the device waits for anything."""


class Health(Answer):
    """How a service is, as `edgeflow.ondevice.service` prints it.

    Attributes:
        running: whether it answers.
        failed: whether it should: nobody has stopped it.
        detail: why it does not answer.
        release: digest of the bundle that answers, if one does.
        current: digest of the bundle that the device has in use.
        fault: what went wrong last, until a release starts well.
        rss_mb: resident memory of the process with the model, in MB.
    """

    running: bool
    failed: bool = False
    detail: Words = ""
    release: Sha256 | None = None
    current: Sha256 | None = None
    fault: Words | None = None
    queued: Count = 0
    answered: Count = 0
    busy: Count = 0
    restarts: Count = 0
    rss_mb: Quantity = 0.0


class Stopped(Answer):
    """What became of a service that was to stop."""

    running: bool
    stopped: bool = Field(default=False)


def keep_serving(device: OpenDevice, model: str, options: Mapping[str, Any]) -> Health:
    """Let the service run with these options; one that runs with others is started again.

    Args:
        device: the open device.
        model: name of the model, which must have a current release.
        options: JSON form of `Service`.

    Raises:
        DeployError: it does not start, or does not serve the current release.
    """
    sha = _current(device, model)
    if _send_options(device, model, options):
        stop(device, model)
    found = device.serve(Health, model, sha, "start", ACTION_S)
    if not found.running or found.release != sha:
        raise DeployError(
            f"the service of {model} on device {device.endpoint.name} does not serve release "
            f"{sha[:12]}: {found.detail or found.fault or 'it is not ready'}",
            hint=f"look at its log: {device.endpoint.shell_command(_log(device, model))}",
        )
    return found


def stop(device: OpenDevice, model: str) -> bool:
    """Let the service answer what waits, and end; return whether it ran.

    Raises:
        DeployError: it does not end.
    """
    sha = _speaker(device, model)
    if sha is None:
        return False
    answer = device.serve(Stopped, model, sha, "stop", ACTION_S)
    if answer.running:
        raise DeployError(
            f"the service of {model} on device {device.endpoint.name} does not end",
            hint=f"look at the device: {device.endpoint.shell_command()}",
        )
    return answer.stopped


def end(device: OpenDevice, model: str) -> bool:
    """Stop the service, and start it no more at boot; return whether it ran.

    Raises:
        DeployError: it does not end.
    """
    ran = stop(device, model)
    device.ask(Unserved, "unserve", model)
    return ran


def health(device: OpenDevice, model: str) -> Health:
    """Return how the service is."""
    sha = _speaker(device, model)
    if sha is None:
        return Health(running=False, detail="it was never started there")
    return device.serve(Health, model, sha, "health", ACTION_S)


def _current(device: OpenDevice, model: str) -> str:
    sha = device.status(model).current
    if sha is None:
        raise DeployError(
            f"no release of {model} is in use on device {device.endpoint.name}",
            hint="deploy one: edgeflow run",
        )
    return sha


def _speaker(device: OpenDevice, model: str) -> str | None:
    """Return a release whose program can speak with the service: the current one if there is.

    None where there has been no service, or no release is left.
    """
    if not device.has_run_file(model, LOCK):
        return None
    status = device.status(model)
    return status.current or next(iter(reversed(status.releases)), None)


def _send_options(device: OpenDevice, model: str, options: Mapping[str, Any]) -> bool:
    """Write the options where the service reads them; return whether they are others."""
    told = {**Service.model_validate(options).model_dump(mode="json")}
    told["unit"] = dict(device.endpoint.unit)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "service.json"
        path.write_text(json.dumps(told, sort_keys=True))
        return device.send_run_file(model, path) > 0


def _log(device: OpenDevice, model: str) -> str:
    return f"tail {device.model_dir(model)}/run/service.log"


def unit_name(model: str) -> str:
    """Return the name of the systemd unit that runs the service of a model."""
    return f"edgeflow-{model}.service"


def systemd_unit(model_dir: str, python: str, *, system: bool) -> str:
    """Return the text of a systemd unit that runs the service.

    Args:
        model_dir: the model's folder on the device, absolute.
        python: the device's interpreter; a bare name is looked up in systemd's PATH.
        system: whether it is for the system's instance (root), not the account's own.
    """
    program = [python] if "/" in python else ["/usr/bin/env", python]
    command = [*program, "-B", f"{model_dir}/current/runner.py", "serve", model_dir]
    return f"""[Unit]
Description=edgeflow serves {model_dir.rpartition("/")[2]}

[Service]
ExecStart={" ".join(map(quoted, command))}
Restart=on-failure
RestartSec=2
UMask=0077

[Install]
WantedBy={"multi-user" if system else "default"}.target
"""


def quoted(word: str) -> str:
    """Return a word as a command line of systemd has it."""
    return json.dumps(word).replace("%", "%%").replace("$", "$$")


def cron_line(model_dir: str, python: str) -> str:
    """Return the line of a crontab that starts the service at boot, where there is no systemd."""
    command = [python, "-B", f"{model_dir}/current/runner.py", "serve", model_dir, "start"]
    return f"@reboot {shlex.join(command)} >/dev/null 2>&1".replace("%", r"\%")
