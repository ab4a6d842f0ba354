"""What a device starts at boot: the agent's `recover`, and the services of its models."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgeflow.deploy.provision.look import Found
from edgeflow.deploy.service import cron_line, quoted, systemd_unit, unit_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One thing that is started at boot.

    Attributes:
        what: for people.
        unit: name of the unit, where systemd starts it.
        text: of that unit.
        line: of a crontab, where cron starts it.
        mark: part of that line by which an older one is known, of this folder alone.
        folder: what a unit of that name must speak of, to be of this folder.
    """

    what: str
    unit: str
    text: str
    line: str
    mark: str
    folder: str

    def is_in_place(self, found: Found) -> bool:
        """Tell whether the device starts just this."""
        if found.boot == "systemd":
            return found.units.get(self.unit) == self.text.rstrip("\n")
        return self.line in (found.crontab or ())

    def is_known(self, found: Found) -> bool:
        """Tell whether the device starts this, in whatever way."""
        unit = found.units.get(self.unit, "")
        return quoted(self.folder) in unit or any(self.mark in it for it in found.crontab or ())


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
        folder=root,
    )
    yield from (service_entry(found, python, model) for model in models)


def service_entry(found: Found, python: str, model: str) -> Entry:
    """Return what starts the service of a model at boot."""
    folder = f"{found.root}/{model}"
    line = cron_line(folder, python)
    return Entry(
        what=f"service of {model} at boot",
        unit=unit_name(model),
        text=systemd_unit(folder, python, system=found.is_root),
        line=line,
        mark=line.partition(" serve ")[2],
        folder=folder,
    )


def _once(command: Sequence[str], wanted_by: str) -> str:
    return f"""[Unit]
Description=edgeflow resolves what a reboot interrupted

[Service]
Type=oneshot
ExecStart={" ".join(map(quoted, command))}

[Install]
WantedBy={wanted_by}.target
"""
