"""What every fault leaves as it was: the model that serves, its files, and the way to try again."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.artifact.hashing import sha256_file
from edgeflow.deploy.release import connect
from edgeflow.errors import EdgeflowError

if TYPE_CHECKING:
    from edgeflow.remote.virtual.layout import Address
    from tests.unit.deploy.conftest import Lab

CHANGES = ("lock", "audit.log")
"""Beside `incoming/`, what a failed deployment may write to."""


def runner_of(payload: bytes) -> bytes:
    """Return a runner whose golden vectors pass with that model file and with no other."""
    return (
        "import hashlib, json, os, sys\n"
        "model = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data/model.tflite')\n"
        "found = hashlib.sha256(open(model, 'rb').read()).hexdigest()\n"
        f"print(json.dumps({{'passed': found == {hashlib.sha256(payload).hexdigest()!r},\n"
        "                  'max_abs': {'output': 0.0}}))\n"
    ).encode()


@dataclass(frozen=True)
class Before:
    """A device that serves a model, as it was before a fault."""

    files: dict[str, str]
    audited: int
    current: str

    @classmethod
    def of(cls, lab: "Lab", pi: "Address") -> "Before":
        """Look at a device that serves a confirmed release."""
        folder = model_folder(lab, pi)
        audit = (folder / "audit.log").read_text()
        return cls(_files(folder), len(audit.splitlines()), (folder / "current").readlink().name)


def model_folder(lab: "Lab", pi: "Address") -> Path:
    """Return the folder of the model on a device."""
    return lab.root(pi) / "edgeflow" / "net"


def in_use(files: dict[str, str], current: str) -> dict[str, str]:
    """Return what of a folder's files and links belongs to the release in use."""
    return {
        it: what for it, what in files.items() if it.startswith(("current", f"releases/{current}"))
    }


def _files(folder: Path) -> dict[str, str]:
    """Return what a failed deployment must not touch: files with their digests, and links."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file() and name not in CHANGES and not name.startswith("incoming/"):
            found[name] = sha256_file(path)
    return found


def assert_unharmed(
    lab: "Lab",
    pi: "Address",
    before: Before,
    error: EdgeflowError,
    *,
    says: str,
    exit_code: int,
    audited: int = 0,
    staged: bool = False,
    retry: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """Assert what holds after every fault of a deployment; return the record of the retry.

    Args:
        error: what the deployment failed with.
        says: pattern for the error's phase and cause.
        exit_code: that of the step.
        audited: lines that the fault is to leave in the device's audit log.
        staged: whether the new release may lie beside the old one, and the journal know it.
        retry: deploys the same bundle without the fault.
    """
    name = pi.identity.parent.name
    assert f"device {name}" in error.message
    assert re.search(says, error.message, re.DOTALL), error.message
    assert error.hint
    assert error.exit_code == exit_code
    folder = model_folder(lab, pi)
    kept, left = before.files, _files(folder)
    if staged:
        kept, left = (in_use(files, before.current) for files in (kept, left))
    assert left == kept
    lines = (folder / "audit.log").read_text().splitlines()
    assert len(lines) - before.audited == audited
    assert all(json.loads(line)["verb"] for line in lines)
    assert (folder / "current").resolve(strict=True).name == before.current
    _answers(lab, pi, before.current)
    record = retry()
    assert record["current_sha256"] == before.current
    assert record["bundle_sha256"] in {path.name for path in (folder / "releases").iterdir()}
    assert not list((folder / "incoming").iterdir())
    _answers(lab, pi, before.current)
    return record


def _answers(lab: "Lab", pi: "Address", sha: str) -> None:
    with connect(lab.endpoint(pi)) as device:
        assert device.status("net").current == sha
        device.verify("net", sha)
        said = json.loads(device.run_release("net", sha, ["golden"], 60))
    assert said == {"passed": True, "max_abs": {"output": 0.0}}
