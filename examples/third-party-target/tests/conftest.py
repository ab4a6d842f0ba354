"""The contract's tiny network, trained once and after every recipe."""

from edgeflow.testing.trained import trained

__all__ = ["trained"]
