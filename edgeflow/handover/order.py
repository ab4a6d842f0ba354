"""What an artifact brings to a device: the bundle, the agent, and an order of what to do."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeflow.artifact.hashing import canonical_json
from edgeflow.bundle.manifest import read_bundle
from edgeflow.deploy.agent_program import agent_program
from edgeflow.deploy.parcel import Need
from edgeflow.ondevice.agent.hand_over import AGENT, BUNDLE, FORMAT, ORDER

ONE_MINUTE_S = 60.0
"""How long a device waits for a confirmation that comes from the same script."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Payload:
    """What an artifact brings.

    Attributes:
        files: by name.
        model: name of the model.
        sha256: digest of the bundle.
    """

    files: Mapping[str, bytes]
    model: str
    sha256: str


def payload(bundle: Path, export: Mapping[str, Any]) -> Payload:
    """Return what the artifact of an export brings.

    Args:
        bundle: the bundle.tar.
        export: section of the configuration.

    Raises:
        IntegrityError: `bundle` is not one.
    """
    model, data = read_bundle(bundle).model, bundle.read_bytes()
    sha256, need = hashlib.sha256(data).hexdigest(), Need.of(bundle)
    order = {
        "format": FORMAT,
        "path": export["path"],
        "model": model,
        "sha256": sha256,
        "need_bytes": need.bytes,
        "need_inodes": need.inodes,
        "health_s": export["health_s"],
        "confirm_s": export.get("confirm_s", ONE_MINUTE_S),
    }
    files = {AGENT: agent_program(), BUNDLE: data, ORDER: canonical_json(order).encode()}
    return Payload(files=files, model=model, sha256=sha256)
