"""The contract, over every target that is registered here."""

import pkgutil
import platform
from typing import Any

import pytest

from edgeflow import plugins, targets
from edgeflow.targets import registry
from edgeflow.testing.contract import TargetContract
from tests.rockchip import require_toolkit

NO_TARGETS = {
    *(
        "apart",
        "apart_worker",
        "base",
        "build",
        "coverage",
        "findings",
        "graph",
        "host",
        "identity",
    ),
    *("lint", "outcome", "reading", "registry", "through_onnx", "worker"),
}


NEEDED = {
    # A part that yosys does not map: its figures are tested with a smaller network.
    "fpga": {"part": "5CSEMA5F31C6"},
    "iree": {"arch": platform.machine()},
    "mcu": {"board": "microbit"},
}
"""Options that a kind cannot do without, or whose engine runs here only with them."""


class TestRegistered(TargetContract):
    kinds = tuple(registry.names())

    @pytest.fixture(autouse=True)
    def costly(self, request: pytest.FixtureRequest) -> None:
        """Skip what would build an environment of 5.6 GB where nobody asked for it."""
        given = request.node.callspec.params
        if given.get("kind") == "rknn" and "target" in request.fixturenames:
            require_toolkit()

    def options(self, kind: str) -> dict[str, Any]:
        return {"kind": kind, **NEEDED.get(kind, {})}


def test_every_file_of_a_target_is_registered() -> None:
    files = {module.name for module in pkgutil.iter_modules(targets.__path__)} - NO_TARGETS
    registered = {plugins.module_of(plugins.TARGETS, kind) for kind in registry.names()}
    assert {f"{targets.__name__}.{name}" for name in files} <= registered
