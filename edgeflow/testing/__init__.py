"""Shipped for tests of edgeflow and of third-party targets."""
