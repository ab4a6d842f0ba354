"""The servers and bundles that the tests of deployment use too."""

from tests.unit.deploy.conftest import lab, make_bundle, shared_lab

__all__ = ["lab", "make_bundle", "shared_lab"]
