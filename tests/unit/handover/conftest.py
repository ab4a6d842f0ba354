"""Bundles of a runner and a few bytes, as small as the agent takes them."""

import datetime
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edgeflow.bundle.archive import tar_of
from edgeflow.deploy.agent_program import agent_program
from edgeflow.handover.order import Payload

HEALTHY = b"print('{\"passed\": true}')\n"
SICK = b"print('{\"passed\": false}')\nraise SystemExit(1)\n"
Bundle = Callable[..., bytes]


def bundle_of(name: str, runner: bytes = HEALTHY) -> bytes:
    """Return a bundle's tar that nothing but the agent reads."""
    files = {"model/net": name.encode(), "runner.py": runner}
    listed = {
        path: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
        for path, data in files.items()
    }
    return tar_of({"manifest.json": json.dumps({"files": listed}).encode(), **files})


def payload_of(bundle: bytes, path: Path | str, **order: Any) -> Payload:
    """Return what an artifact of that bundle brings."""
    sha = hashlib.sha256(bundle).hexdigest()
    facts = {
        "format": 2, "path": str(path), "model": "net", "sha256": sha, "health_s": 20,
        "confirm_s": 60, "need_bytes": 3 * len(bundle), "need_inodes": 10,
    }  # fmt: skip
    text = json.dumps({**facts, **order}).encode()
    files = {"agent.pyz": agent_program(), "bundle.tar": bundle, "order.json": text}
    return Payload(files=files, model="net", sha256=sha)


def certified(key: rsa.RSAPrivateKey) -> x509.Certificate:
    """Return a certificate that signs itself, for the purpose that SWUpdate asks for."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fleet")])
    begin = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(7)
    builder = builder.public_key(key.public_key()).not_valid_before(begin)
    builder = builder.not_valid_after(begin.replace(year=2099)).add_extension(purpose, False)
    return builder.sign(key, SHA256())


@pytest.fixture
def python() -> str:
    return sys.executable
