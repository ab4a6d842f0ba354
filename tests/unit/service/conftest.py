from tests.unit.deploy.conftest import lab, shared_lab

__all__ = ["lab", "shared_lab"]
