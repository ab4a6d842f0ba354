"""Bundles of a runner and a few bytes, as small as the agent takes them."""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
        "format": 1, "path": str(path), "model": "net", "sha256": sha, "health_s": 20,
        "confirm_s": 60,
    }  # fmt: skip
    text = json.dumps({**facts, **order}).encode()
    files = {"agent.pyz": agent_program(), "bundle.tar": bundle, "order.json": text}
    return Payload(files=files, model="net", sha256=sha)


@pytest.fixture
def python() -> str:
    return sys.executable
