from tests.unit.served import served, served_project

__all__ = ["served", "served_project"]
