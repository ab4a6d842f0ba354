"""Artifacts of Mender, format 3: a tar of tars, as mender-artifact documents it."""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgeflow.bundle.archive import tar_of
from edgeflow.handover.order import Payload

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

TYPE = "edgeflow"
"""Name of the update module."""
MODULE = b"""#!/bin/sh
# Mender's update module for edgeflow: the agent in the artifact does all of it.
agent="$2/files/agent.pyz"
case "$1" in
    NeedsArtifactReboot) echo No ;;
    SupportsRollback) echo Yes ;;
    ArtifactInstall) exec python3 -I "$agent" hand-over install "$2/files" ;;
    ArtifactCommit) exec python3 -I "$agent" hand-over commit "$2/files" ;;
    ArtifactRollback) exec python3 -I "$agent" hand-over rollback "$2/files" ;;
esac
"""
"""The update module, for Mender's `modules/v3` folder on each device; it fits all releases."""
_SCALAR_BYTES = 32


def mender_artifact(
    payload: Payload,
    devices: Sequence[str],
    key: "RSAPrivateKey | EllipticCurvePrivateKey | None",
) -> bytes:
    """Return an artifact, the same bytes each time.

    Args:
        payload: what it brings.
        devices: device types that it is for.
        key: signs it; None for none.
    """
    name = f"{payload.model}-{payload.sha256[:12]}"
    header = tar_of({"header-info": _header_info(name, devices), **_type_info(payload)})
    version = _json({"format": "mender", "version": 3})
    listed = {"header.tar": header, "version": version}
    listed |= {f"data/0000/{file}": data for file, data in payload.files.items()}
    manifest = "".join(
        f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(listed.items())
    ).encode()
    signed = {} if key is None else {"manifest.sig": signature(manifest, key)}
    members = {"version": version, "manifest": manifest, **signed, "header.tar": header}
    return tar_of({**members, "data/0000.tar": tar_of(payload.files)})


def signature(manifest: bytes, key: "RSAPrivateKey | EllipticCurvePrivateKey") -> bytes:
    """Return the signature of a manifest: PKCS #1 v1.5 of RSA, or r and s of P-256; base64."""
    from cryptography.hazmat.primitives.asymmetric import ec, padding
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256

    if isinstance(key, RSAPrivateKey):
        return base64.b64encode(key.sign(manifest, padding.PKCS1v15(), SHA256()))
    # RFC 6979: without chance.
    pair = decode_dss_signature(key.sign(manifest, ec.ECDSA(SHA256(), deterministic_signing=True)))
    return base64.b64encode(b"".join(number.to_bytes(_SCALAR_BYTES, "big") for number in pair))


def _header_info(name: str, devices: Sequence[str]) -> bytes:
    return _json(
        {
            "payloads": [{"type": TYPE}],
            "artifact_provides": {"artifact_name": name},
            "artifact_depends": {"device_type": list(devices)},
        }
    )


def _type_info(payload: Payload) -> dict[str, bytes]:
    provided = f"{TYPE}.{payload.model}"
    info = {
        "type": TYPE,
        "artifact_provides": {f"{provided}.version": payload.sha256},
        "clears_artifact_provides": [f"{provided}.*"],
    }
    return {"headers/0000/type-info": _json(info)}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
