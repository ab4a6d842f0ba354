"""Exports: bundles as artifacts of update systems that a fleet already has."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from edgeflow.config.base import HomePath, Reference, Section
from edgeflow.config.device import RemotePath
from edgeflow.config.finding import Finding, Keys
from edgeflow.config.names import missing
from edgeflow.config.raw import Entry, compiled_for, deployments, entries

Class = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""What an update system calls a class of devices."""


class _Export(Section):
    target: Reference
    """Name of a target of this configuration."""
    model: Reference
    """Name of a model of this configuration."""
    recipe: Reference
    """Name of a recipe of this configuration. `deployments` must have the three: what is exported
    has passed its gates."""
    path: Annotated[RemotePath, Field(pattern="^/")]
    """Folder on the devices that edgeflow owns, absolute. Its owner's account runs the model."""
    health_s: Annotated[float, Field(gt=0, le=3600)] = 120.0
    """How long the golden vectors may take on the device."""


class MenderExport(_Export):
    """An artifact for Mender, which its update module `edgeflow` installs."""

    kind: Literal["mender"]
    device_type: Annotated[list[Class], Field(min_length=1)]
    """Device types that it is for, as `device_type` on the devices says."""
    key: HomePath | None = None
    """Private key of the fleet that signs it, RSA or P-256, PEM. By default it is not signed: sign
    it with `mender-artifact sign`."""
    confirm_s: Annotated[float, Field(ge=10, le=86400)] = 3600.0
    """How long the device waits for Mender's commit before it goes back by itself."""


class SwupdateExport(_Export):
    """An image for SWUpdate, with a script that installs it."""

    kind: Literal["swupdate"]
    board: Class
    """Name of the hardware, as `-H BOARD:REVISION` or `/etc/hwrevision` on the devices says."""
    revisions: Annotated[list[Class], Field(min_length=1)]
    """Revisions of the hardware that it is for."""
    key: HomePath | None = None
    """Private key of the fleet that signs it, RSA, PEM. By default it is not signed."""
    certificate: HomePath | None = None
    """Certificate of that key, PEM."""


Export = Annotated[MenderExport | SwupdateExport, Field(discriminator="kind")]


def check_exports(raw: Entry) -> Iterator[Finding]:
    """Yield names that miss, models that no gate judges, and keys without their certificate."""
    judged = set(map(repr, _judged(raw)))
    for name, entry in entries(raw, "exports").items():
        keys: Keys = ("exports", name)
        what = ("target", "model", "recipe")
        wrong = [
            finding
            for key in what
            for finding in missing(raw, f"{key}s", entry.get(key), (*keys, key))
        ]
        chosen = tuple(entry.get(key) for key in what)
        if not wrong and all(isinstance(it, str) for it in chosen) and repr(chosen) not in judged:
            target, model, recipe = chosen
            message = f"nothing judges {model}/{recipe} for target {target!r}"
            hint = f"add a deployment to a device of {target!r}, or with `targets: [{target}]`"
            wrong.append(Finding(keys=keys, message=message, hint=hint))
        yield from wrong
        if entry.get("kind") == "swupdate" and ("key" in entry) != ("certificate" in entry):
            message = "`key` and `certificate` belong together"
            hint = "SWUpdate checks the certificate: give both, or neither"
            yield Finding(keys=keys, message=message, hint=hint)


def _judged(raw: Entry) -> Iterator[tuple[object, ...]]:
    devices = entries(raw, "devices")
    for _, deployment, names in deployments(raw):
        targets = [devices[str(name)].get("target") for name in names if str(name) in devices]
        for target in (*targets, *compiled_for(deployment)):
            yield (target, deployment.get("model"), deployment.get("recipe"))
