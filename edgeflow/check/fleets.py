"""Inventories of fleets, and what rollouts find in them."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgeflow.check.sections import valid_fleets, valid_rollouts
from edgeflow.config.finding import Finding, Keys, did_you_mean
from edgeflow.config.fleet import Rollout
from edgeflow.errors import ConfigError
from edgeflow.fleet.inventory import Row, read_inventory, selected
from edgeflow.text import some

_LINES = 20
"""Lines of an inventory that are told."""


def check_fleets(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with inventories, and with rollouts by what these hold."""
    inventories: dict[str, list[Row]] = {}
    for name, fleet in valid_fleets(raw).items():
        try:
            inventories[name] = read_inventory(Path(fleet.inventory).expanduser(), fleet)
        except ConfigError as error:
            yield from _told(error, ("fleets", name, "inventory"))
    for name, rollout in valid_rollouts(raw).items():
        if rollout.fleet in inventories:
            yield from _of_rollout(rollout, inventories[rollout.fleet], ("rollouts", name))


def _told(error: ConfigError, keys: Keys) -> Iterator[Finding]:
    """Yield the problems of an inventory, one for each of its lines: one place has one problem.

    What is wrong with one line of thousands mostly is with all, and must not hide what else is.
    """
    lines: dict[int | None, list[str]] = {}
    for problem in error.problems:
        hint = f" ({problem.hint})" if problem.hint else ""
        lines.setdefault(problem.line, []).append(f"{problem.path}: {problem.message}{hint}")
    for line, texts in itertools.islice(lines.items(), _LINES):
        place: Keys = (f"line {line}",) if line else ()
        yield Finding(keys=(*keys, *place), message="; ".join(texts))
    if len(lines) > _LINES:
        message = f"{len(lines) - _LINES:,} more are wrong too"
        yield Finding(keys=(*keys, "further lines"), message=message)


def _of_rollout(rollout: Rollout, rows: list[Row], keys: Keys) -> Iterator[Finding]:
    known = {label for row in rows for label in row.labels}
    wrong = [label for label in rollout.select if label not in known]
    for label in wrong:
        message = f"no device of {rollout.fleet!r} has a label {label!r}"
        yield Finding(
            keys=(*keys, "select", label), message=message, hint=did_you_mean(label, known)
        )
    found = selected(rows, rollout)
    if not found and not wrong:
        yield Finding(
            keys=(*keys, "select"), message=f"no device of {rollout.fleet!r} has these labels"
        )
    names = {row.name for row in found}
    for index, name in enumerate(rollout.canaries):
        if name not in names:
            message = f"the rollout reaches no device {name!r}"
            yield Finding(
                keys=(*keys, "canaries", index), message=message, hint=did_you_mean(name, names)
            )
    yield from _without_model(rollout, found, keys)


def _without_model(rollout: Rollout, rows: list[Row], keys: Keys) -> Iterator[Finding]:
    without: dict[str | None, list[str]] = {}
    for row in rows:
        if rollout.model_for(row.variant) is None:
            without.setdefault(row.variant, []).append(row.name)
    for variant, names in without.items():
        what = f"variant {variant!r}" if variant else "no variant"
        yield Finding(
            keys=(*keys, "variants", variant or "none"),
            message=f"there is no model for {what}, which {some(names)} "
            f"{'have' if names[1:] else 'has'}",
            hint=did_you_mean(variant or "", rollout.variants),
        )
