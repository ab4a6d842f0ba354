"""Whether the service of a model, where one runs, serves a release."""

from __future__ import annotations

import json
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .answer import Json

ANSWER_S = 5.0
POLL_S = 0.1
ANSWER_MAX_BYTES = 64 << 10


def not_served(folder: str, name: str, deadline: float) -> str | None:
    """Return why the service in a model's folder does not serve a release, which is current.

    None where it does, or where no service runs. It follows the link by itself, so it is given
    time, until the deadline of the monotonic clock.
    """
    while True:
        health = asked(os.path.join(folder, "run"))
        if health is None or health.get("release") == name:
            return None
        fault = str(health.get("fault"))
        if name[:12] in fault:
            return f"its service: {fault}"
        if time.monotonic() >= deadline:
            return "its service does not serve it in time"
        time.sleep(POLL_S)


def asked(run: str) -> Json | None:
    """Return what the service says of itself; None where none listens."""
    import socket

    try:
        place = os.open(run, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(ANSWER_S)
            # A socket's address has no room for a long path.
            channel.connect(f"/proc/self/fd/{place}/service.sock")
            channel.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            with channel.makefile("rb") as file:
                said = file.read(ANSWER_MAX_BYTES)
        found = json.loads(said.partition(b"\r\n\r\n")[2].decode())
        return found if isinstance(found, dict) else {}
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except (OSError, ValueError):  # it is busy, or ends just now: it is asked again
        return {}
    finally:
        os.close(place)
