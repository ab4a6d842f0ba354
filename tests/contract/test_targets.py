"""The contract, over every target that is registered here."""

import pkgutil
import platform
from typing import Any

from edgeflow import plugins, targets
from edgeflow.targets import registry
from edgeflow.testing.contract import TargetContract

NO_TARGETS = {
    *("apart", "apart_worker", "base", "build", "coverage", "findings", "host", "identity", "lint"),
    *("outcome", "registry", "worker"),
}


NEEDED = {"iree": {"arch": platform.machine()}, "mcu": {"board": "microbit"}}
"""Options that a kind cannot do without, or whose engine runs here only with them."""


class TestRegistered(TargetContract):
    kinds = tuple(registry.names())

    def options(self, kind: str) -> dict[str, Any]:
        return {"kind": kind, **NEEDED.get(kind, {})}


def test_every_file_of_a_target_is_registered() -> None:
    files = {module.name for module in pkgutil.iter_modules(targets.__path__)} - NO_TARGETS
    registered = {plugins.module_of(plugins.TARGETS, kind) for kind in registry.names()}
    assert {f"{targets.__name__}.{name}" for name in files} <= registered
