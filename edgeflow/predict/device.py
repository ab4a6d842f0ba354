"""Asks the release that is in use on a device."""

import posixpath
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeflow.bundle.manifest import MANIFEST, BundleManifest
from edgeflow.config.finding import did_you_mean
from edgeflow.deploy.agent import outputs_stem
from edgeflow.deploy.judged import DEPLOY_AGAIN, judged_folder
from edgeflow.deploy.outputs import fetch_outputs
from edgeflow.deploy.release import OpenDevice, open_device
from edgeflow.deploy.runner import has_clock, predicted
from edgeflow.errors import ConfigError, DeployError, Problem
from edgeflow.predict.answer import Raw, contradiction
from edgeflow.predict.samples import Samples
from edgeflow.remote.answer import malformed, parse

MANIFEST_MAX_BYTES = 8 << 20
"""More than one with tens of thousands of labels has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """A release in use on a device whose session is open."""

    device: OpenDevice
    sha256: str
    manifest: BundleManifest

    def ask(self, samples: Samples) -> Raw:
        """Run samples on the device.

        Raises:
            DeployError: the runner fails there, or answers what cannot be.
            IntegrityError: what came back is not what the device sent.
        """
        import numpy as np

        model, endpoint = self.manifest.model, self.device.endpoint
        with tempfile.TemporaryDirectory() as scratch:
            local = Path(scratch) / "samples.npy"
            np.save(local, samples.array())
            remote = self.device.send_samples(model, local)
        arguments = ["predict", "--data", remote, "--out", outputs_stem()]
        start = time.monotonic()
        text = self.device.run_release(model, self.sha256, arguments, endpoint.run_timeout_s)
        count = len(samples.names)
        answer = predicted(
            text,
            count if has_clock(self.manifest, endpoint) else 0,
            time.monotonic() - start,
            outputs=[tensor.name for tensor in self.manifest.io.outputs],
            device=endpoint.name,
            model=model,
        )
        outputs = fetch_outputs(self.device, self.manifest, count, answer.outputs_sha256)
        return Raw(outputs=outputs, latencies_ms=answer.latencies_ms, engine=answer.engine)


@contextmanager
def serving(
    slice_: Mapping[str, Any], model: str, results: Path, configured: Collection[str]
) -> Iterator[Serving]:
    """Open the release of a model that is in use on a device.

    Args:
        slice_: of a deploy step, as in `Plan.deploy(device).slice`.
        model: name of the model.
        results: folder of this project's results, for advice.
        configured: models that the configuration deploys there.

    Raises:
        ConfigError: there is none of that name, on the device or in the configuration.
        DeployError: none is in use there, or it is damaged.
        UnreachableError: the device does not answer.
    """
    with open_device(slice_) as device:
        sha256 = _current(device, model, results, configured)
        device.verify(model, sha256)
        yield Serving(device=device, sha256=sha256, manifest=_manifest(device, model, sha256))


def _current(device: OpenDevice, model: str, results: Path, configured: Collection[str]) -> str:
    """Return the release that is in use; nothing else would be the device's own answer."""
    status = device.status(model)
    if status.current is not None:
        return status.current
    name, fault = device.endpoint.name, f" ({status.fault})" if status.fault else ""
    stored = device.models()
    known = {*configured, *(it.name for it in stored)}
    if model not in known:
        what = f"device {name} has no model {model!r}, and the configuration deploys none to it"
        problem = Problem(path="MODEL", message=what)
        raise ConfigError([problem], source="the command", hint=did_you_mean(model, known))
    others = [it.name for it in stored if it.current]
    serves = f"it serves {', '.join(others)}" if others else "it serves no model"
    folder = judged_folder(results, name, model)
    raise DeployError(
        f"device {name} has no release of {model} in use{fault}; {serves}",
        hint=f"to deploy it again, {DEPLOY_AGAIN.format(folder)}"
        if folder
        else "run `edgeflow run`: a release is in use once it has passed its gates",
    )


def _manifest(device: OpenDevice, model: str, sha256: str) -> BundleManifest:
    """Return the manifest of a release as the device has it: it says what the release is."""
    remote = posixpath.join(device.model_dir(model), "releases", sha256, MANIFEST)
    with tempfile.TemporaryDirectory() as scratch:
        local = Path(scratch) / MANIFEST
        device.fetch(remote, local, MANIFEST_MAX_BYTES)
        where, program = device.endpoint.title, f"the release of {model}"
        found = parse(BundleManifest, local.read_bytes(), device=where, program=program)
    if found.model != model:
        raise malformed(where, program, f"its manifest is of {found.model}")
    if reason := contradiction(found):
        raise malformed(where, program, reason)
    return found
