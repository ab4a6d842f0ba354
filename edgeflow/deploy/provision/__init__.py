"""Prepares devices: the engine's environment, who may bring what, what happens at boot."""
