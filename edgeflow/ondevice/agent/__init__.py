"""Agent: runs on the device, where it alone decides what becomes current.

Standard library only, Python 3.7 or newer, imports nothing of edgeflow. Every verb prints one
JSON object; a caller reads that and never infers the outcome from the exit code, because a
lost connection has one too. Exit codes: 0 done, 65 corrupt or rejected, 66 unhealthy,
75 locked, 70 other.
"""

from .cli import main

__all__ = ["main"]
