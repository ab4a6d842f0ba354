"""Projects of any size, of which only the configuration is there."""

from typing import Any

from benchmarks.cases import MODEL, RECIPES

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHGouOOZTwMVfqgCUXxxD/tfOWANN+G7diwlcDZU5hb3"


def many_devices(count: int, units: int = 1) -> dict[str, Any]:
    """Return a project whose devices have so many units each."""
    return _project(
        models={f"m{number}": MODEL for number in range(units)},
        devices={f"bench-{number}": _device(number) for number in range(count)},
    )


def many_models(count: int) -> dict[str, Any]:
    """Return a project with one device and a family of models."""
    vary = {"train.seed": [*range(count)]}
    return _project(models={"m": {**MODEL, "vary": vary}}, devices={"bench": _device(0)})


def many_named_models(count: int) -> dict[str, Any]:
    """Return a project with one device and models, each with a deployment of its own."""
    models = {f"m{number}": {**MODEL, "train": {"seed": number}} for number in range(count)}
    return _project(models=models, devices={"bench": _device(0)})


def _project(models: dict[str, Any], devices: dict[str, Any]) -> dict[str, Any]:
    return {
        "datasets": {"digits": {"source": "digits"}},
        "models": models,
        "recipes": RECIPES,
        "targets": {"pi": {"kind": "litert"}},
        "devices": devices,
        "deployments": [
            {"model": name, "recipe": "int8", "devices": [*devices]} for name in models
        ],
    }


def _device(number: int) -> dict[str, Any]:
    host = f"bench-{number}.local"
    account = {"user": "pi", "host_key": KEY, "identity": "~/.ssh/edgeflow"}
    return {"target": "pi", "transport": "ssh", "trust": "transport", "host": host, **account}
