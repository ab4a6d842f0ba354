"""Deploy step: brings a bundle to a device and tries it there; what is in use stays in use."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgeflow.artifact.atomic import write_json
from edgeflow.artifact.events import recorded
from edgeflow.artifact.hashing import sha256_file
from edgeflow.bundle.manifest import read_bundle
from edgeflow.console import say
from edgeflow.deploy.release import OpenDevice, open_device
from edgeflow.deploy.runner import golden
from edgeflow.errors import DeployError, IntegrityError
from edgeflow.paths import NAME_PATTERN


def deploy(bundle: Path, slice_: Mapping[str, Any], code: str, out: Path) -> dict[str, Any]:
    """Bring `bundle` to a device, to be measured; a device that has it already is sent nothing.

    Args:
        bundle: the bundle.tar; its packed form, bundle.tar.zst, is looked for beside it.
        slice_: slice of the configuration, as in `Plan.deploy(device).slice`.
        code: fingerprint of the step's code.
        out: the deploy.json to write.

    Raises:
        DeployError: the device refuses the bundle, or the model fails there.
        UnreachableError: the device does not answer.
        IntegrityError: `bundle` is not one.
        MissingToolError: the device has no usable Python.
    """
    with recorded("deploy", slice_["name"]) as event:
        model = _model(bundle)
        event.name = f"{slice_['name']}/{model}"
        with open_device(slice_) as device:
            record = {"code": code, **bring(device, model, bundle)}
        event.facts.update({key: record[key] for key in ("changed", "sent_bytes", "sent_form")})
        write_json(out, record)
    return record


def bring(device: OpenDevice, model: str, bundle: Path) -> dict[str, Any]:
    """Install a bundle beside what is in use, and try it there; return the record of it.

    What is tried are its golden vectors: a model that does not load on the device, or gives other
    outputs than on the host, is rejected. The gates decide what becomes current.
    """
    sha = sha256_file(bundle)
    before = device.status(model, sha)
    if before.fault:
        say(f"device {device.endpoint.name}: {before.fault}; repairing it")
    sent = device.install(model, bundle, sha, before)
    changed = before.current != sha or sent.form is not None
    if changed:
        _try(device, bundle, sha)
    return {
        "agent_sha256": device.agent_sha256,
        "bundle_sha256": sha,
        "changed": changed,
        "current_sha256": before.current,
        "device": device.endpoint.name,
        "machine": before.machine,
        "model": model,
        "python": before.python,
        "sent_bytes": sent.bytes,
        "sent_form": sent.form,
        "signed_by": sent.signed_by,
    }


def _try(device: OpenDevice, bundle: Path, sha: str) -> None:
    manifest, endpoint = read_bundle(bundle), device.endpoint
    try:
        text = device.run_release(manifest.model, sha, ["golden"], endpoint.run_timeout_s)
        tolerances = {tensor.name: tensor.tolerance for tensor in manifest.io.outputs}
        golden(text, tolerances, device=endpoint.name, model=manifest.model)
    except DeployError as error:
        rejection = device.reject(manifest.model, sha, "it fails on its golden vectors")
        raise DeployError(f"{error.message}\n  {rejection}", hint=error.hint) from error


def _model(bundle: Path) -> str:
    model = read_bundle(bundle).model
    if not re.fullmatch(NAME_PATTERN, model):  # it becomes part of a path on the device
        raise IntegrityError(
            f"{bundle} is for a model with the unusable name {model!r}",
            hint=f"delete {bundle} and run `edgeflow run` again",
        )
    return model
