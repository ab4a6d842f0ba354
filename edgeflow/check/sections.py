"""Entries of a raw configuration that are valid by themselves, whatever is wrong elsewhere."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edgeflow.config.dataset import Dataset
from edgeflow.config.fleet import Fleet, Rollout, SshFleet, VirtualFleet
from edgeflow.config.model import Model
from edgeflow.config.raw import Entry, entries, once


@once
def valid_datasets(raw: Entry) -> Mapping[str, Dataset]:
    """Return the datasets that are valid, by name."""
    return _valid(raw, "datasets", Dataset)


@once
def valid_models(raw: Entry) -> Mapping[str, Model]:
    """Return the models that are valid, by name."""
    return _valid(raw, "models", Model)


@once
def valid_fleets(raw: Entry) -> Mapping[str, SshFleet | VirtualFleet]:
    """Return the fleets that are valid, by name."""
    return _valid(raw, "fleets", Fleet)


@once
def valid_rollouts(raw: Entry) -> Mapping[str, Rollout]:
    """Return the rollouts that are valid, by name."""
    return _valid(raw, "rollouts", Rollout)


def _valid(raw: Entry, section: str, kind: Any) -> dict[str, Any]:
    adapter, found = TypeAdapter[Any](kind), dict[str, Any]()
    for name, entry in entries(raw, section).items():
        try:
            found[name] = adapter.validate_python(entry)
        except ValidationError:
            continue  # its section reports it
    return found
