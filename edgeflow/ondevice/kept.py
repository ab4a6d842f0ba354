"""Keeps samples on the device for a person to look at and for the next training.

Standard library and numpy; Python 3.7 or newer; imports nothing of edgeflow. A sample is
``<sha256>.npz``, named by its own SHA-256, with an array ``x.NAME`` for each input as datasets
store it, and ``<sha256>.json``: release, reason, label, confidence, note.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import io
import json
import os
import re
from typing import Any

import numpy as np

SAMPLE = re.compile(r"([0-9a-f]{64})\.npz")
SCRATCH = re.compile(r"\.tmp-([0-9]+)")


def confidence_of(said: dict[str, Any]) -> float | None:
    """Return the probability of a classifier's label; None where the network gives none."""
    if "probabilities" not in said:
        return None
    return float(said["probabilities"][said["label"]])


class Keeper:
    """The folder of kept samples; where they take more than the quota, the oldest go."""

    def __init__(self, folder: str, below: float | None, quota_bytes: int) -> None:
        """Take the folder, the confidence below which samples are kept, and the quota."""
        self._folder, self._below, self._quota_bytes = folder, below, quota_bytes
        self._sizes: Any = None  # of each sample by name, the oldest first; read when needed
        self._total_bytes = 0

    def consider(
        self, arrays: dict[str, Any], release: str, said: dict[str, Any], asked: dict[str, Any]
    ) -> dict[str, Any]:
        """Keep a sample that is marked or doubtful; return what the answer says of that."""
        confidence = confidence_of(said)
        doubtful = None not in (confidence, self._below) and confidence < self._below  # type: ignore[operator]
        if not asked["mark"] and not doubtful:
            return {"kept": None}
        facts = {
            "release": release,
            "reason": "marked" if asked["mark"] else "low confidence",
            "label": said.get("label"),
            "confidence": confidence,
            "note": asked["note"],
        }
        try:
            return {"kept": self.keep(arrays, facts)}
        except OSError as error:  # a full disk must not cost the answer
            return {"kept": None, "not_kept": str(error)}

    def keep(self, arrays: dict[str, Any], facts: dict[str, Any]) -> str:
        """Write a sample and return its name; the same sample is kept once.

        Raises:
            OSError: it cannot be written, or is larger than the quota.
        """
        buffer = io.BytesIO()
        np.savez(buffer, **{"x." + name: array for name, array in arrays.items()})
        data, text = buffer.getvalue(), json.dumps(facts, sort_keys=True).encode()
        name = hashlib.sha256(data).hexdigest()
        if self._sizes is None:
            self._read_folder()
        if name in self._sizes:
            return name
        size = len(data) + len(text)
        self._make_room(size)
        path = os.path.join(self._folder, name)
        self._write(path + ".json", text)
        self._write(path + ".npz", data)  # last: what has it has both
        self._sizes[name] = size
        self._total_bytes += size
        return name

    def _read_folder(self) -> None:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        found = []
        for entry in os.listdir(self._folder):
            path, match = os.path.join(self._folder, entry), SAMPLE.fullmatch(entry)
            if match:
                facts = os.stat(path)
                found.append((facts.st_mtime, match.group(1), facts.st_size + _size(path)))
            elif SCRATCH.fullmatch(entry) and not _runs(entry):
                os.unlink(path)
        self._sizes = collections.OrderedDict((name, size) for _, name, size in sorted(found))
        self._total_bytes = sum(self._sizes.values())

    def _make_room(self, size: int) -> None:
        if size > self._quota_bytes:
            raise OSError("the sample takes %d bytes, the quota is %d" % (size, self._quota_bytes))
        while self._total_bytes + size > self._quota_bytes:
            name, gone = self._sizes.popitem(last=False)
            self._total_bytes -= gone
            for suffix in (".npz", ".json"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(self._folder, name + suffix))

    def _write(self, path: str, data: bytes) -> None:
        """Write a file all or not at all, also through a power cut."""
        scratch = os.path.join(self._folder, ".tmp-%d" % os.getpid())
        try:
            with open(scratch, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(scratch, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(scratch)
            raise


def _size(path: str) -> int:
    """Return the size of what lies beside a sample."""
    try:
        return os.stat(path[:-4] + ".json").st_size
    except FileNotFoundError:
        return 0


def _runs(scratch: str) -> bool:
    """Return whether the process that writes a file is still there."""
    return os.path.isdir("/proc/" + scratch.rpartition("-")[2])
