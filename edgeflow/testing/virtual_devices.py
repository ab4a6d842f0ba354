"""Ends the virtual devices that a project has started."""

import os
import signal
from pathlib import Path

from edgeflow.remote.virtual.layout import device_folders
from edgeflow.remote.virtual.start import STATE


def stop_devices(project: Path) -> None:
    """End the servers of a project's virtual devices; one may be ending by itself meanwhile."""
    for device in device_folders(project / STATE):
        if address := device.address():
            try:
                os.kill(address.pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
