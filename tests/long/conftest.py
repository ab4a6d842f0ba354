"""The projects of the workflow tests, for the tests that take longer."""

import os

from tests.workflow.conftest import built

__all__ = ["SWEEP", "built"]

SWEEP = "EDGEFLOW_SWEEP" in os.environ
"""Whether random tests try all that they can, not a sample."""
