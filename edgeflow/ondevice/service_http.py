"""HTTP over a Unix socket, and over loopback where that is asked for.

Standard library only; Python 3.7 or newer; imports nothing of edgeflow.

    GET /health    how the service is
    GET /version   the release that answers, its model, recipe, task, engine and inputs
    GET /labels    names of the classes or values
    POST /infer    {"inputs": ...}, or .npy files that follow each other, one for each input;
                   ?recorded=1 ?mark=1 ?note=TEXT; Accept: application/x-npy gives the raw output
"""

from __future__ import annotations

import json
import os
import re
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl

if __package__:
    from .client import NOTE_CHARACTERS  # noqa: TID252  # what is shipped names no package
else:  # in a bundle, whose modules lie side by side
    from client import NOTE_CHARACTERS  # type: ignore[import-not-found,no-redef]

CONNECTIONS = 64
NPY = "application/x-npy"
OPTIONS = {"recorded": "", "mark": "", "note": ""}
LOOPBACK = "127.0.0.1"
BLOCK_BYTES = 64 << 10
DISCARDED_MAX_BYTES = 64 << 20
REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
YES = ("1", "true")


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "edgeflow", ""
    timeout = 60.0
    server: Any

    def do_GET(self) -> None:
        """Tell about the service or its release."""
        release, facts = self.server.front.facts()
        about = {
            "/health": self.server.front.health,
            "/version": lambda: {"release": release, **_without(facts, "labels", "protocol")},
            "/labels": lambda: {"release": release, "labels": facts.get("labels", [])},
        }.get(self.path)
        if about is None or self._foreign():
            self._refuse(404, "unknown", "ask for /health, /version or /labels")
        else:
            self._answer(200, about())

    def do_POST(self) -> None:
        """Let the model answer."""
        path, _, query = self.path.partition("?")
        options = {**OPTIONS, **dict(parse_qsl(query, max_num_fields=8))}
        size, kind = self._size(), self.headers.get_content_type()
        if path != "/infer" or self._foreign():
            self._refuse(404, "unknown", "post to /infer")
        elif set(options) != set(OPTIONS):
            self._refuse(400, "malformed", "the options are %s" % ", ".join(OPTIONS))
        elif len(options["note"]) > NOTE_CHARACTERS:
            detail = "a note has %d characters at most" % NOTE_CHARACTERS
            self._refuse(400, "malformed", detail)
        elif size is None:
            self._refuse(411, "malformed", "Content-Length says no size")
        elif size > self.server.body_max_bytes:
            self._refuse(413, "malformed", "more than %d bytes" % self.server.body_max_bytes)
        elif kind not in (NPY, "application/json"):
            self._refuse(415, "malformed", "send %s or application/json" % NPY)
        elif not self.server.front.enter():
            self._refuse(503, "busy", "the queue is full")
        else:
            try:
                self._infer(size, kind == NPY, options)
            finally:
                self.server.front.leave()

    def _infer(self, size: int, npy: bool, options: dict[str, str]) -> None:
        body = self.rfile.read(size)
        if len(body) < size:
            self.close_connection = True
            return
        header = {
            "npy": npy,
            "recorded": options["recorded"] in YES,
            "mark": options["mark"] in YES,
            "note": options["note"],
            "raw": NPY in self.headers.get("Accept", ""),
        }
        answer, array = self.server.front.ask(header, body)
        self._answer(answer["status"], answer["json"], array)

    def _size(self) -> int | None:
        text = self.headers.get("Content-Length", "")
        chunked = "Transfer-Encoding" in self.headers
        return int(text) if re.fullmatch("[0-9]{1,15}", text) and not chunked else None

    def _foreign(self) -> bool:
        """Return whether a web page asks: a browser reaches loopback for any of them."""
        host = self.headers.get("Host", "").rpartition(":")[0]
        loopback = host in (LOOPBACK, "localhost")
        return self.server.loopback and (not loopback or "Origin" in self.headers)

    def _discard(self, size: int) -> None:
        """Read what is not wanted: whoever still sends it would not hear the answer."""
        while size > 0:
            block = self.rfile.read(min(size, BLOCK_BYTES))
            size = size - len(block) if block else 0

    def _refuse(self, status: int, error: str, detail: str) -> None:
        size = self._size() or 0
        self._discard(min(size, DISCARDED_MAX_BYTES))
        if error != "busy" or size > DISCARDED_MAX_BYTES:
            self.close_connection = True
        self._answer(status, {"error": error, "detail": detail})

    def send_error(self, code: int, message: str | None = None, _: str | None = None) -> None:
        """Answer what is no request of HTTP, or one that is too long, as everything else."""
        self.close_connection = True
        self._answer(code, {"error": "malformed", "detail": message or "no request"})

    def _answer(self, status: int, facts: dict[str, Any], array: bytes = b"") -> None:
        body = array or json.dumps(facts, sort_keys=True).encode()
        self.send_response(status)
        self.send_header("Content-Type", NPY if array else "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name in ("release", "kept") if array else ():
            self.send_header("X-Edgeflow-" + name.capitalize(), str(facts.get(name) or ""))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log no request: a device's disk is small."""


def _without(facts: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if name not in names}


class _Threads(socketserver.ThreadingMixIn):
    """A thread for each connection, and so many at most."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = CONNECTIONS

    def serve(self: Any, front: Any, body_max_bytes: int) -> None:
        """Answer from now on, in a thread of its own."""
        self.front, self.body_max_bytes = front, body_max_bytes
        self.slots = threading.BoundedSemaphore(CONNECTIONS)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def process_request(self: Any, request: Any, client_address: Any) -> None:
        """Start the thread, or refuse the connection."""
        if self.slots.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            request.send(REFUSED)
            self.shutdown_request(request)

    def process_request_thread(self: Any, request: Any, client_address: Any) -> None:
        """Answer, and give the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.slots.release()

    def handle_error(self: Any, request: Any, client_address: Any) -> None:
        """Log nothing: a client that is gone is no fault."""


class UnixServer(_Threads, socketserver.UnixStreamServer):
    """On a socket that the account alone may use."""

    loopback = False

    def __init__(self, folder: str) -> None:
        """Listen on ``service.sock`` in a folder."""
        place = os.open(folder, os.O_RDONLY)
        before = os.umask(0o177)
        try:
            # A socket's address has no room for a long path.
            super().__init__("/proc/self/fd/%d/service.sock" % place, Handler)
        finally:
            os.umask(before)
            os.close(place)


class LoopbackServer(_Threads, socketserver.TCPServer):
    """On a port of loopback, for any account of this machine."""

    loopback = True

    def __init__(self, port: int) -> None:
        """Listen on a port."""
        super().__init__((LOOPBACK, port), Handler)
