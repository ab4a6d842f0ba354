"""From deploy to gate on a real device: what serves has passed, and serves until another has."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgeflow.artifact.hashing import sha256_file
from edgeflow.deploy.deploy import deploy
from edgeflow.deploy.release import connect
from edgeflow.errors import GateError
from edgeflow.remote.virtual.layout import Address
from edgeflow.validate.confirm import confirm
from tests.unit.report.samples import unit, validation

if TYPE_CHECKING:
    from tests.unit.deploy.conftest import Lab

MakeBundle = Callable[..., Path]
HOLDS, MISSES = {"accuracy_min": 0.9}, {"accuracy_min": 0.999}


class Line:
    """The steps that touch a device, as the workflow runs them."""

    def __init__(self, lab: "Lab", pi: Address, folder: Path) -> None:
        self._lab, self._pi, self._folder = lab, pi, folder

    def deploy(self, bundle: Path) -> dict[str, Any]:
        return deploy(bundle, self._lab.slice(self._pi), "code", self._folder / "deploy.json")

    def gate(self, bundle: Path, gates: dict[str, float]) -> None:
        """Judge a measurement with an accuracy of 0.995."""
        record = validation(unit("int8", "pi", "pi"), ["cat", "dog"])
        path = self._folder / "validation.json"
        path.write_text(json.dumps({**record, "bundle_sha256": sha256_file(bundle)}))
        slice_ = {"device": self._lab.slice(self._pi), "gates": gates}
        confirm(slice_, "code", path, self._folder / "gates.json")


def test_what_serves_has_passed(lab: "Lab", make_bundle: MakeBundle, tmp_path: Path) -> None:
    pi, first, second = lab.device(), make_bundle(b"first"), make_bundle(b"second")
    one, two = sha256_file(first), sha256_file(second)
    line = Line(lab, pi, tmp_path)
    line.deploy(first)
    assert lab.current(pi) is None
    with pytest.raises(GateError, match="not in use; the device serves none"):
        line.gate(first, MISSES)
    assert lab.current(pi) is None
    line.gate(first, HOLDS)
    assert lab.current(pi) == one

    line.deploy(second)
    assert lab.current(pi) == one
    with pytest.raises(GateError, match=f"the device still serves release {one[:12]}"):
        line.gate(second, MISSES)
    assert lab.current(pi) == one
    assert line.deploy(second)["sent_bytes"] == 0, "a rejected release is there to be tried again"
    assert lab.current(pi) == one, "deploying it again puts nothing back in use"
    line.gate(second, HOLDS)
    assert lab.current(pi) == two

    with pytest.raises(GateError, match=f"the device went back to release {one[:12]}"):
        line.gate(second, MISSES)  # tightened afterwards
    assert lab.current(pi) == one
    with pytest.raises(GateError, match="the device now serves no release"):
        line.gate(first, MISSES)
    assert lab.current(pi) is None


def test_what_serves_and_holds_is_left_alone(
    lab: "Lab", make_bundle: MakeBundle, tmp_path: Path
) -> None:
    pi, bundle = lab.device(), make_bundle()
    line = Line(lab, pi, tmp_path)
    line.deploy(bundle)
    line.gate(bundle, HOLDS)
    log = lab.root(pi) / "edgeflow" / "net" / "audit.log"
    said = log.read_text()
    assert line.deploy(bundle)["changed"] is False
    line.gate(bundle, HOLDS)
    assert log.read_text() == said
    with connect(lab.endpoint(pi)) as device:
        assert device.status("net").current == sha256_file(bundle)
