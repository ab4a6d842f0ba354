"""Structured pruning: whole channels leave a trained network, which becomes smaller and faster."""

from edgeflow.compress.channels.remove import remove_channels as remove_channels
