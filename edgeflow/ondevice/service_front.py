"""The service's heart: requests in one queue, and the worker of the release that is current.

Standard library only; Python 3.7 or newer; imports nothing of edgeflow.
"""

from __future__ import annotations

import collections
import contextlib
import os
import re
import socket
import sys
import threading
import time
from typing import Any

if __package__:
    from . import service_process as process  # noqa: TID252  # what is shipped names no package
else:  # in a bundle, whose modules lie side by side
    import service_process as process  # type: ignore[import-not-found,no-redef]

SHA = re.compile(r"[0-9a-f]{64}")
POLL_S = 0.1
LOG_MAX_BYTES = 256 << 10
RETRY_S = (1.0, 60.0)
"""After a release failed to start: the first wait, doubled each time, and the longest."""
Answer = Any  # tuple[dict[str, Any], bytes]: Python 3.7 cannot say so at run time


def say(text: str) -> None:
    """Print a line for the log, which begins anew where it is a file and long."""
    with contextlib.suppress(OSError):
        if os.fstat(2).st_size > LOG_MAX_BYTES:
            os.ftruncate(2, 0)
    print(text, file=sys.stderr, flush=True)


def refusal(status: int, error: str, detail: str) -> Answer:
    """Return the answer of a request that no worker answered."""
    return {"status": status, "json": {"error": error, "detail": detail}}, b""


class Request:
    """A request on its way."""

    def __init__(self, header: dict[str, Any], body: bytes) -> None:
        self.header, self.body = header, body
        self.answered = threading.Event()
        self.answer: Answer = None


class Front:
    """Answers requests one after the other, by the worker of the release in use.

    Two threads: `follow` starts and ends workers, `dispatch` asks them. A worker that is warm is
    handed over, and takes its place between two requests: each is answered by one release, and
    none is lost.
    """

    def __init__(self, model_dir: str, options: dict[str, Any]) -> None:
        """Take the model's folder, and the service's options."""
        self._model_dir, self._options = model_dir, options
        self._turn = threading.Condition()
        self._waiting: collections.deque[Request] = collections.deque()
        self._places = 0
        self._worker: process.Worker | None = None
        self._handed: list[process.Worker | None] = []  # at most one
        self._starting: process.Worker | None = None
        self._ending: process.Worker | None = None  # its board or stick is needed
        self._stopping = False
        self._fault: str | None = None
        self._failed: dict[str, Any] = {"release": None, "wait_s": 0.0, "until": 0.0}
        self._alone: str | None = None  # the last one that was started without another beside it
        self._good: str | None = None  # the last one that served
        self._counts = {"answered": 0, "busy": 0, "restarts": 0}

    # Requests: these are called by a thread for each connection.

    def enter(self) -> bool:
        """Take a place in the queue; False if all are taken."""
        with self._turn:
            if self._places >= self._options["queue"] or self._stopping:
                self._counts["busy"] += 1
                return False
            self._places += 1
            return True

    def leave(self) -> None:
        """Give the place back."""
        with self._turn:
            self._places -= 1

    def ask(self, header: dict[str, Any], body: bytes) -> Answer:
        """Return the answer of the worker, or why there is none in time."""
        request, limit_s = Request(header, body), self._options["time_limit_s"]
        with self._turn:
            if self._pointed() is None and self._worker is None:
                return refusal(503, "no release", "no release of the model is current")
            self._waiting.append(request)
            self._turn.notify_all()
        if not request.answered.wait(limit_s):
            with self._turn:
                if request in self._waiting:
                    self._waiting.remove(request)
                    return refusal(503, "not ready", self._fault or "it waited too long")
            request.answered.wait()  # it is being computed, and that has an end
        return request.answer

    def facts(self) -> tuple[str | None, dict[str, Any]]:
        """Return the release that answers, and what it says of itself."""
        worker = self._worker
        return (worker.release, dict(worker.facts or {})) if worker else (None, {})

    def health(self) -> dict[str, Any]:
        """Return how the service is."""
        with self._turn:
            worker = self._worker
            return {
                "release": worker.release if worker else None,
                "current": self._pointed(),
                "ready": worker is not None,
                "fault": self._fault,
                "queued": self._places,
                "rss_mb": worker.rss_mb() if worker else 0.0,
                "pid": os.getpid(),
                **self._counts,
            }

    # Dispatch: one thread.

    def dispatch(self) -> None:
        """Answer requests until the end."""
        while True:
            with self._turn:
                while not (self._handed or (self._waiting and self._worker)):
                    if self._stopping:
                        self._refuse_all()
                        return
                    self._turn.wait()
                if self._handed:
                    self._take_over()
                    continue
                worker = self._worker
                request = self._waiting.popleft() if worker and worker.alive() else None
            if worker is not None:
                self._serve(worker, request)

    def _serve(self, worker: process.Worker, request: Request | None) -> None:
        if request is None:  # it died before: what waits is for the next one
            self._lose(worker, worker.why())
            return
        request.answer = self._ask_worker(worker, request)
        request.answered.set()

    def _refuse_all(self) -> None:
        while self._waiting:
            request = self._waiting.popleft()
            request.answer = refusal(503, "stopping", "the service is being stopped")
            request.answered.set()

    def _take_over(self) -> None:
        old, self._worker = self._worker, self._handed.pop()
        if self._worker is not None:
            self._good = self._worker.release
            say("serving release %s" % self._good)
        if old is not None:
            threading.Thread(target=old.end).start()

    def _ask_worker(self, worker: process.Worker, request: Request) -> Answer:
        limit_s = self._options["time_limit_s"]
        try:
            answer = worker.ask(request.header, request.body, limit_s)
            self._counts["answered"] += 1
            return answer
        except socket.timeout:
            self._lose(worker, "no answer within %g s" % limit_s)
            return refusal(504, "timeout", "no answer within %g s" % limit_s)
        except (OSError, EOFError, ValueError):
            self._lose(worker, worker.why())
            return refusal(502, "worker died", worker.why())

    def _lose(self, worker: process.Worker, fault: str) -> None:
        """Give up a worker; `follow` starts another one."""
        worker.kill()
        with self._turn:
            say("release %s: %s" % (worker.release, fault))
            self._fault = fault
            if self._worker is worker:
                self._worker = None
                self._counts["restarts"] += 1

    # Workers: one thread.

    def follow(self, stop: threading.Event) -> None:
        """Serve what `current` names until told to stop; then answer what waits, and end."""
        dispatcher = threading.Thread(target=self.dispatch)
        dispatcher.start()
        while not stop.is_set():
            self.step()
            stop.wait(POLL_S)
        with self._turn:
            self._stopping = True
            self._turn.notify_all()
        dispatcher.join(2 * self._options["time_limit_s"])
        for worker in (self._starting, self._worker, *self._handed):
            if worker is not None:
                worker.end()

    def step(self) -> None:
        """Look once at the link and at the workers."""
        link = self._pointed()
        self._watch()
        if self._starting is not None:
            self._look_at_start(self._starting, link)
            return
        with self._turn:
            worker = self._handed[-1] if self._handed else self._worker
        serving = worker.release if worker is not None else None
        if link is None:
            if serving is not None and not os.path.lexists(self._link()):
                self._hand_over(None)
        elif serving != link:
            self._bring(link, serving)

    def _bring(self, link: str, serving: str | None) -> None:
        """Start the release that is current, or again the last good one while that fails."""
        failed = self._failed["release"] == link
        if not failed or time.monotonic() >= self._failed["until"]:
            self._start(link)
        elif serving is None and self._good is not None and self._good != link:
            self._start(self._good)

    def _start(self, release: str) -> None:
        if self._ending is not None and self._ending.alive():
            return
        try:
            self._starting = process.Worker(self._model_dir, release, self._options)
        except OSError as error:  # no memory for another process
            self._fail(release, str(error))

    def _look_at_start(self, worker: process.Worker, link: str | None) -> None:
        """Hand a worker over that is warm; give up one that fails, or is not wanted any more."""
        if link not in (None, worker.release) and worker.release != self._good:
            self._starting = None
            worker.kill()
            return
        try:
            ready = worker.become_ready()
        except RuntimeError as error:
            self._starting = None
            worker.kill()
            self._fail(
                worker.release, str(error), hardware=isinstance(error, process.HardwareError)
            )
            return
        if ready:
            self._starting = None
            if worker.release == link:
                self._fault = None
                self._failed["release"] = None
            self._hand_over(worker)

    def _fail(self, release: str, reason: str, *, hardware: bool = False) -> None:
        self._fault = "release %s does not start: %s" % (release[:12], reason)
        say(self._fault)
        serving = self._worker
        if hardware and serving is not None and self._alone != release:
            # A board or stick opens for one process at a time: requests wait for a moment.
            self._alone, self._ending = release, serving
            self._hand_over(None)
            return
        same = self._failed["release"] == release
        wait_s = min(2 * self._failed["wait_s"], RETRY_S[1]) if same else RETRY_S[0]
        self._failed = {"release": release, "wait_s": wait_s, "until": time.monotonic() + wait_s}

    def _hand_over(self, worker: process.Worker | None) -> None:
        with self._turn:
            for other in self._handed:
                if other is not None:
                    other.end()
            self._handed = [worker]
            self._turn.notify_all()

    def _watch(self) -> None:
        """End workers that take too much memory; note one that died."""
        limit_mb = self._options["memory_limit_mb"]
        for worker in (self._worker, self._starting):
            if worker is not None and limit_mb is not None and worker.rss_mb() > limit_mb:
                worker.fault = "it took more than %g MB of memory" % limit_mb
                worker.kill()
        worker = self._worker
        if worker is not None and not worker.alive():
            self._lose(worker, worker.why())

    def _link(self) -> str:
        return os.path.join(self._model_dir, "current")

    def _pointed(self) -> str | None:
        """Return the release that `current` names, if it is there."""
        try:
            name = os.path.basename(os.readlink(self._link()))
        except OSError:
            return None
        there = os.path.isdir(os.path.join(self._model_dir, "releases", name))
        return name if there and SHA.fullmatch(name) else None
