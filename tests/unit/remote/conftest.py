"""The servers and devices that the tests of deployment use too."""

from tests.unit.deploy.conftest import folder, lab, make_bundle, own_lab, shared_lab

__all__ = ["folder", "lab", "make_bundle", "own_lab", "shared_lab"]
