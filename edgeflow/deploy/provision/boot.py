"""What a device starts at boot: the agent's `recover`, and the services of its models."""

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgeflow.deploy.provision.look import Found
from edgeflow.deploy.service import cron_line, systemd_unit, unit_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One thing that is started at boot.

    Attributes:
        what: for people.
        unit: name of the unit, where systemd starts it.
        text: of that unit.
        line: of a crontab, where cron starts it.
        mark: part of that line by which an older one is known.
    """

    what: str
    unit: str
    text: str
    line: str
    mark: str


def entries(found: Found, python: str, models: Sequence[str]) -> Iterator[Entry]:
    """Yield what a device is to start at boot.

    Args:
        found: what it is.
        python: interpreter there with the engine, absolute.
        models: names of those that have a service.
    """
    root = found.root
    recover = [found.base_python, "-I", f"{root}/bin/agent.pyz", "recover", root]
    yield Entry(
        what="recover at boot",
        unit=f"edgeflow-recover{root.replace('/', '-')}.service",
        text=_once(recover, "multi-user" if found.is_root else "default"),
        line=f"@reboot {shlex.join(recover)} >/dev/null 2>&1".replace("%", r"\%"),
        mark=shlex.join(recover[3:]),
    )
    for model in models:
        folder = f"{root}/{model}"
        line = cron_line(folder, python)
        yield Entry(
            what=f"service of {model} at boot",
            unit=unit_name(model),
            text=systemd_unit(folder, python, system=found.is_root),
            line=line,
            mark=line.partition(" serve ")[2],
        )


def _once(command: Sequence[str], wanted_by: str) -> str:
    quoted = " ".join(json.dumps(word).replace("%", "%%").replace("$", "$$") for word in command)
    return f"""[Unit]
Description=edgeflow resolves what a reboot interrupted

[Service]
Type=oneshot
ExecStart={quoted}

[Install]
WantedBy={wanted_by}.target
"""
