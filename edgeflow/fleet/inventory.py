"""The devices of a fleet, one row of its inventory each."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgeflow.config.device import Host, HostKey, Port, SshDevice, User, VirtualDevice
from edgeflow.config.finding import closest
from edgeflow.config.fleet import Rollout, SshFleet, VirtualFleet
from edgeflow.config.host import canonical_host
from edgeflow.errors import ConfigError, Problem
from edgeflow.fleet.table import LABEL, Line, read_table
from edgeflow.text import clean, reason

COLUMNS = ("name", "host", "port", "user", "host_key", "variant", "standby")
_NAME_RULE = "letters, digits, '.', '-' and '_', at most 63, with a letter or digit first"
_HINTS = {
    "name": f"a name has {_NAME_RULE}",
    "host": "a name or address, such as kitchen.local or 10.0.0.7",
    "port": "a number from 1 to 65535",
    "user": "an account, such as pi",
    "host_key": "`edgeflow device trust HOST` prints it; type and key, without a comment",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One device of a fleet.

    Attributes:
        host: name or address; empty for a virtual device.
        host_key: the only public host key that is accepted; empty for a virtual device.
        labels: what rollouts select devices by.
        variant: which of a rollout's models the device gets; None for the one model of all.
        standby: name of the device on which this one's model lies too, ready to serve there.
    """

    name: str
    host: str = ""
    port: int = 22
    user: str = ""
    host_key: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    variant: str | None = None
    standby: str | None = None


class _Named(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class _Reached(_Named):
    host: Host
    port: Port
    user: User
    host_key: HostKey


def read_inventory(path: Path, fleet: SshFleet | VirtualFleet) -> list[Row]:
    """Return the devices of an inventory, in its order.

    Args:
        path: CSV (commas, semicolons or tabs), or YAML.
        fleet: the section that names it, for what its columns do not say.

    Raises:
        ConfigError: with every problem found, each with its line.
    """
    lines, problems = read_table(path)
    if not lines and not problems:
        problems = [Problem(path=path.name, message="it names no device")]
    problems += [*_slips(lines), *_unclear(lines)]
    rows: list[tuple[int, Row]] = []
    for line in lines:
        try:
            rows.append((line.number, _row(line, fleet)))
        except ValidationError as error:
            problems += _explained(line, error)
    problems += [*_twice(rows), *_standbys(rows, {line.cells.get("name") for line in lines})]
    if problems:
        hint = "fix the inventory, then run `edgeflow check`"
        told = sorted(problems, key=lambda problem: problem.line or 0)
        raise ConfigError([_titled(problem) for problem in told], source=str(path), hint=hint)
    return [row for _, row in rows]


def inventories(fleets: Mapping[str, SshFleet | VirtualFleet]) -> dict[str, list[Row]]:
    """Return the rows of each fleet.

    Raises:
        ConfigError: an inventory cannot be used.
    """
    return {
        name: read_inventory(Path(fleet.inventory).expanduser(), fleet)
        for name, fleet in fleets.items()
    }


def cells_of(row: Row) -> dict[str, str]:
    """Return a row as an inventory's cells, by column."""
    reached = {key: str(getattr(row, key)) for key in ("host", "port", "user", "host_key")}
    named = {key: getattr(row, key) or "" for key in ("variant", "standby")}
    cells = {"name": row.name, **(reached if row.host else {}), **named}
    labels = {
        key if key not in COLUMNS and not closest(key, COLUMNS) else LABEL + key: value
        for key, value in row.labels.items()
    }
    return {key: cell for key, cell in {**cells, **labels}.items() if cell}


def device_of(fleet: SshFleet | VirtualFleet, row: Row) -> SshDevice | VirtualDevice:
    """Return a row as a device of the configuration would be."""
    section = fleet.model_dump(exclude={"inventory"})
    if isinstance(fleet, SshFleet):
        section |= {key: getattr(row, key) for key in ("host", "port", "user", "host_key")}
        return SshDevice.model_validate(section)
    return VirtualDevice.model_validate(section)


def selected(rows: list[Row], rollout: Rollout) -> list[Row]:
    """Return the rows with the labels that a rollout selects, in their order."""
    wanted = {
        label: {str(value) for value in (values if isinstance(values, list) else [values])}
        for label, values in rollout.select.items()
    }
    return labelled(rows, wanted)


def labelled(rows: list[Row], wanted: Mapping[str, set[str]]) -> list[Row]:
    """Return the rows that have of each label one of its values, in their order."""
    return [
        row for row in rows if all(row.labels.get(key) in values for key, values in wanted.items())
    ]


def _row(line: Line, fleet: SshFleet | VirtualFleet) -> Row:
    cells = line.cells
    labels = {key.removeprefix(LABEL): it for key, it in cells.items() if key not in COLUMNS}
    reached: dict[str, Any] = {}
    if isinstance(fleet, SshFleet):
        known = {"port": fleet.port, **({"user": fleet.user} if fleet.user else {}), **cells}
        reached = _Reached.model_validate(known).model_dump()
    named = {"name": _Named.model_validate(cells).name, **reached}
    variant, standby = cells.get("variant"), cells.get("standby")
    return Row(**named, labels=labels, variant=variant, standby=standby)


def _explained(line: Line, error: ValidationError) -> Iterator[Problem]:
    for entry in error.errors():
        name, given = str(entry["loc"][0]), line.cells.get(str(entry["loc"][0]))
        message = f"no {name}" if given is None else f"{given!r} is no {name}"
        if entry["type"] == "value_error":
            message = f"{name}: {reason(entry['msg'])}"
        yield Problem(
            path=line.cells.get("name", ""),
            message=message,
            hint=_HINTS.get(name, "") if entry["type"] != "value_error" else "",
            line=line.number,
        )


def _slips(lines: list[Line]) -> Iterator[Problem]:
    """Yield columns that are no labels, as they seem: close to a column that edgeflow knows."""
    titles: dict[str, int] = {}
    for line in lines:
        for title in line.cells.keys() - titles.keys():
            titles[title] = line.number
    for title, number in titles.items():
        if title in COLUMNS:
            continue
        if not re.fullmatch(r"[\w.-]{1,63}", title.removeprefix(LABEL)):
            yield Problem(path="", message=f"{title!r} is no name of a label", line=number)
        elif not title.startswith(LABEL) and (near := closest(title, COLUMNS)):
            hint = f"call it `{near}`, or if it is a label, `{LABEL}{title}`"
            yield Problem(path="", message=f"column {title!r} looks like a slip", hint=hint)


def _unclear(lines: list[Line]) -> Iterator[Problem]:
    """Yield labels that a row says twice, and cells that would not show as they are."""
    for line in lines:
        name = line.cells.get("name", "")
        for title, cell in line.cells.items():
            label = title.removeprefix(LABEL)
            if label != title and label not in COLUMNS and label in line.cells:
                message = f"`{label}` and `{title}` are the same label: leave one out"
                yield Problem(path=clean(name), message=message, line=line.number)
            if title not in _HINTS and clean(seen := cell.replace("\r\n", "\n")) != seen:
                message = f"{title}: {cell!r} has a control character"
                yield Problem(path=clean(name), message=message, line=line.number)


def _twice(rows: list[tuple[int, Row]]) -> Iterator[Problem]:
    """Yield devices that are there twice, by name (whatever its case) or by host and port.

    Of YAML, several may stand in one line, and an alias has the line of what it repeats.
    """
    names: dict[str, int] = {}
    places: dict[tuple[str, int], int] = {}
    for place, (number, row) in enumerate(rows):
        if (before := names.setdefault(row.name.lower(), place)) != place:
            message = f"line {rows[before][0]} has a device of that name already"
            yield Problem(path=row.name, message=message, line=number)
        if not row.host:
            continue
        if (before := places.setdefault((canonical_host(row.host), row.port), place)) != place:
            first, other = rows[before]
            message = f"{row.host}:{row.port} is {other.name} of line {first} already"
            yield Problem(path=row.name, message=message, line=number)


def _standbys(rows: list[tuple[int, Row]], names: set[str | None]) -> Iterator[Problem]:
    for number, row in rows:
        if row.standby == row.name:
            message = "it is its own standby"
        elif row.standby is None or row.standby in names:
            continue
        else:
            message = f"no device {row.standby!r} to stand by"
        yield Problem(path=row.name, message=message, line=number)


def _titled(problem: Problem) -> Problem:
    """Return a problem that says where it is, where no name of a device does."""
    if problem.path:
        return problem
    return Problem(
        path="the row" if problem.line else "the first row",
        message=problem.message,
        hint=problem.hint,
        line=problem.line,
    )
