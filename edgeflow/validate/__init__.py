"""Validation on the device: metrics, parity, gates."""
