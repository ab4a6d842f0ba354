from edgeflow.testing.trained import trained

__all__ = ["trained"]
