"""The projects of the workflow tests, for the tests that take longer."""

from tests.workflow.conftest import built

__all__ = ["built"]
