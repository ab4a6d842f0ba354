"""Asks the service of a model on this device.

Standard library only; Python 3.7 or newer; imports nothing of edgeflow. It lies in every release:

    sys.path.insert(0, "edgeflow/digits-cnn/current")
    from client import Client

    with Client("edgeflow/digits-cnn") as client:
        print(client.infer(frame, recorded=True)["label"])
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import struct
from typing import Any
from urllib.parse import urlencode

TYPES = {"B": "|u1", "b": "|i1", "f": "<f4", "d": "<f8", "h": "<i2", "H": "<u2", "i": "<i4"}
"""Item formats of the buffer protocol, as .npy files name them."""
ANSWER_MAX_BYTES = 64 << 20
NOTE_CHARACTERS = 500
"""Longest note that is kept with a sample."""


class ServiceError(Exception):
    """The service refuses, or fails; `kind` is for programs."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__("%s: %s" % (kind, detail))
        self.kind = kind


class BusyError(ServiceError):
    """The service has no place in its queue, or no release yet: ask again later."""


class _Connection(http.client.HTTPConnection):
    """HTTP over the service's Unix socket."""

    def __init__(self, run: str, timeout_s: float) -> None:
        super().__init__("service", timeout=timeout_s)
        self._run = run

    def connect(self) -> None:
        """Connect; by its folder, as a socket's address has no room for a long path."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        place = os.open(self._run, os.O_RDONLY)
        try:
            self.sock.connect("/proc/self/fd/%d/service.sock" % place)
        except OSError:
            self.close()
            raise
        finally:
            os.close(place)


def npy(array: Any) -> bytes:
    """Return an array as an .npy file: of numpy, or whatever else has the buffer protocol.

    Raises:
        ServiceError: it is no such array, or has items of another type.
    """
    try:
        view = memoryview(array)
    except TypeError:
        kind = type(array).__name__
        raise ServiceError("malformed", "an input is an array, this is %s" % kind) from None
    if view.format not in TYPES:
        raise ServiceError(
            "malformed",
            "an array of items %r cannot be sent: uint8, int8, uint16, int16, int32, float32 and "
            "float64 can" % view.format,
        )
    facts = {"descr": TYPES[view.format], "fortran_order": False, "shape": tuple(view.shape or ())}
    text = repr(facts).encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + view.tobytes()


class Client:
    """A connection to the service; each thread needs one of its own."""

    def __init__(self, model_dir: str, timeout_s: float = 60.0) -> None:
        """Take the model's folder on this device, such as ``edgeflow/digits-cnn``."""
        self._connection = _Connection(os.path.join(model_dir, "run"), timeout_s)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next question opens another one."""
        self._connection.close()

    def infer(
        self, *inputs: Any, recorded: bool = False, mark: bool = False, note: str = ""
    ) -> dict[str, Any]:
        """Return what the network says of one sample, and which release said it.

        Args:
            inputs: an array for each input, as samples of the dataset are stored.
            recorded: it is what a camera or microphone gave: pixels uint8 of any size, or sound.
            mark: keep the sample on the device for `edgeflow device collect`.
            note: kept with it; 500 characters at most.

        Returns:
            ``release``, ``latency_ms``, ``kept`` (name of the kept sample, or None) and, by the
            task, ``label`` and ``probabilities``, or ``score`` and ``threshold``, or ``values``.

        Raises:
            BusyError: the queue is full, or no release is ready.
            ServiceError: the sample is none of the dataset's, the note is too long, or the model
                failed.
            OSError: the service does not run.
        """
        if not isinstance(note, str) or len(note) > NOTE_CHARACTERS:
            detail = "a note is a text of %d characters at most" % NOTE_CHARACTERS
            raise ServiceError("malformed", detail)
        options = {"recorded": recorded or "", "mark": mark or "", "note": note}
        given = {name: str(value).lower() for name, value in options.items() if value != ""}
        given = {**given, "note": note} if note else given
        body = b"".join(npy(array) for array in inputs)
        return self._ask("POST", "/infer?" + urlencode(given), body)

    def labels(self) -> list[str]:
        """Return the names of the classes or values of the release that answers."""
        return list(self._ask("GET", "/labels")["labels"])

    def version(self) -> dict[str, Any]:
        """Return the release that answers, its model, recipe, task, engine and inputs."""
        return self._ask("GET", "/version")

    def health(self) -> dict[str, Any]:
        """Return how the service is: release, ready, fault, queued, answered and more."""
        return self._ask("GET", "/health")

    def _ask(self, verb: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        response = self._response(verb, path, body)
        answer: dict[str, Any] = json.loads(response.read(ANSWER_MAX_BYTES).decode() or "{}")
        if response.status == 503:
            raise BusyError(answer.get("error", "busy"), answer.get("detail", "no connection left"))
        if response.status != 200:
            raise ServiceError(answer["error"], answer["detail"])
        return answer

    def _response(self, verb: str, path: str, body: bytes | None) -> http.client.HTTPResponse:
        """Send a request; anew, where the service closed a connection that lay idle."""
        headers = {"Content-Type": "application/x-npy"} if body is not None else {}
        idle = self._connection.sock is not None
        try:
            self._connection.request(verb, path, body, headers)
            return self._connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self._connection.close()
            if not idle:
                raise
        self._connection.request(verb, path, body, headers)
        return self._connection.getresponse()
