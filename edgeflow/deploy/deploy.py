"""Deploy step: brings a bundle to a device and makes it current, or changes nothing."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow.artifact.atomic import write_json
from edgeflow.artifact.events import recorded
from edgeflow.artifact.hashing import sha256_file
from edgeflow.bundle.manifest import read_bundle
from edgeflow.config.base import NAME_PATTERN
from edgeflow.deploy.release import Device, open_device
from edgeflow.deploy.runner import golden
from edgeflow.errors import IntegrityError

KEEP_RELEASES = 3


def deploy(bundle: Path, options: Mapping[str, Any], code: str, out: Path) -> dict[str, Any]:
    """Make `bundle` current on a device; a device that has it already is sent nothing.

    Args:
        bundle: the bundle.tar; its packed form, bundle.tar.zst, is looked for beside it.
        options: slice of the configuration, as in `Plan.deploy(device).options`.
        code: fingerprint of the step's code.
        out: the deploy.json to write.

    Raises:
        DeployError: the device refuses; what it ran before stays current.
        UnreachableError: the device does not answer; what it ran before stays current.
        IntegrityError: `bundle` is not one.
        MissingToolError: the device has no usable Python.
    """
    model = _model(bundle)
    with recorded("deploy", f"{options['name']}/{model}") as event, open_device(options) as device:
        record = {"code": code, **bring(device, model, bundle)}
        event.facts.update({key: record[key] for key in ("changed", "sent_bytes", "sent_form")})
        write_json(out, record)
    return record


def bring(device: Device, model: str, bundle: Path) -> dict[str, Any]:
    """Install and activate a bundle where it is not current yet; return the record of it.

    Between the two its golden vectors run on the device: a model that does not load there, or
    gives other outputs than on the host, never becomes current.
    """
    sha, before = sha256_file(bundle), device.status(model)
    sent = device.install(model, bundle, sha, before)
    if before.current != sha:
        _try(device, bundle, sha)
        device.activate(model, sha)
        device.prune(model, KEEP_RELEASES)
    return {
        "agent_sha256": device.agent_sha256,
        "bundle_sha256": sha,
        "changed": before.current != sha or sent.form is not None,
        "device": device.endpoint.name,
        "machine": before.machine,
        "model": model,
        "previous_sha256": before.current,
        "python": before.python,
        "sent_bytes": sent.bytes,
        "sent_form": sent.form,
    }


def _try(device: Device, bundle: Path, sha: str) -> None:
    manifest, endpoint = read_bundle(bundle), device.endpoint
    text = device.run_release(manifest.model, sha, ["golden"], endpoint.run_timeout_s)
    golden(text, manifest.tolerance, device=endpoint.name, model=manifest.model)


def _model(bundle: Path) -> str:
    model = read_bundle(bundle).model
    if not re.fullmatch(NAME_PATTERN, model):  # it becomes part of a path on the device
        raise IntegrityError(
            f"{bundle} is for a model with the unusable name {model!r}",
            hint=f"delete {bundle} and run `snakemake` again",
        )
    return model
