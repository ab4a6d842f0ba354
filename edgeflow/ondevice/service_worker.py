"""Holds the model of the release that it lies in, and answers the service's requests one by one.

Standard library, numpy and the engine; Python 3.7 or newer; imports nothing of edgeflow. Its
requests come over the socket that is its standard input, see `service_frames`.
"""

from __future__ import annotations

import errno
import io
import json
import os
import socket
import sys
import time
from typing import Any

import numpy as np

if __package__:
    from . import kept, release, runner  # noqa: TID252  # what is shipped names no package
    from . import service_frames as frames  # noqa: TID252
else:  # in a bundle, whose modules lie side by side
    import kept  # type: ignore[import-not-found,no-redef]
    import release  # type: ignore[import-not-found,no-redef]
    import runner  # type: ignore[import-not-found,no-redef]
    import service_frames as frames  # type: ignore[import-not-found,no-redef]

HERE = os.path.dirname(os.path.abspath(__file__))
NPY_MAGIC = b"\x93NUMPY\x01\x00"
NPY_HEADER_MAX_BYTES = 512


class MalformedError(ValueError):
    """A request that cannot be answered, and why."""


def npy_arrays(body: bytes) -> list[Any]:
    """Return the arrays of .npy files (version 1.0) that follow each other."""
    stream, found = io.BytesIO(body), []
    while stream.tell() < len(body):
        start = stream.tell()
        size = int.from_bytes(body[start + 8 : start + 10], "little")
        if body[start : start + 8] != NPY_MAGIC or size > NPY_HEADER_MAX_BYTES:
            raise MalformedError("the body is no .npy file of version 1.0")
        stream.seek(start + len(NPY_MAGIC))
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        count = 1
        for length in shape:
            count *= length
        # Looked at before anything of that size is allocated.
        if dtype.kind not in "uif" or not 0 <= count * dtype.itemsize <= len(body) - stream.tell():
            raise MalformedError("an array of %s %s does not fit the body" % (dtype, shape))
        flat = np.frombuffer(body, dtype, count, stream.tell())
        found.append(flat.reshape(shape, order="F" if fortran else "C"))
        stream.seek(count * dtype.itemsize, os.SEEK_CUR)
    return found


def json_arrays(body: bytes, tensors: list[dict[str, Any]]) -> list[Any]:
    """Return the arrays of ``{"inputs": [...]}``, or of ``{"inputs": {name: [...]}}``."""
    try:
        inputs = json.loads(body.decode("utf-8"))["inputs"]
    except (RecursionError, KeyError, TypeError):
        raise MalformedError('the body is no JSON object {"inputs": ...}') from None
    names = [tensor["name"] for tensor in tensors]
    if isinstance(inputs, dict):
        if set(inputs) != set(names):
            raise MalformedError("the inputs are %s" % ", ".join(names))
        inputs = [inputs[name] for name in names]
    elif len(names) == 1:
        inputs = [inputs]
    else:
        raise MalformedError("name each of the inputs: %s" % ", ".join(names))
    arrays = [np.asarray(values) for values in inputs]
    if any(array.dtype.kind not in "uif" for array in arrays):
        raise MalformedError("the inputs are no arrays of numbers")
    return arrays


def as_stored(array: Any, tensor: dict[str, Any]) -> Any:
    """Return an array in the type of stored samples; refuse what that would change."""
    if not np.isfinite(array).all():
        raise MalformedError("%s has values that are no numbers" % tensor["name"])
    pixels = np.clip(np.rint(array), 0, 255) if tensor["stored"] == "uint8" else array
    if (pixels != array).any():
        raise MalformedError("%s has values that are not 0, 1, ... 255" % tensor["name"])
    return array.astype(tensor["stored"], copy=False)


class Served:
    """The release, opened and warm."""

    def __init__(self, folder: str, options: dict[str, Any]) -> None:
        self._release = release.Release(folder, options["unit"])
        self._inputs = self._release.manifest["io"]["inputs"]
        keep = options["keep"]
        place = os.path.join(options["model_dir"], "kept")
        self._keeper = kept.Keeper(place, keep["below"], int(keep["quota_mb"] * 1e6))
        self.name = os.path.basename(self._release.folder)

    def warm(self) -> None:
        """Run one golden sample, and hold the answer to what the host expects of it."""
        runner.HERE = self._release.folder
        tensors = self._release.manifest["io"]
        samples = [array[:1] for array in runner.load_golden("x", tensors["inputs"])]
        expected = runner.load_golden("y", tensors["outputs"])
        found = runner.run_all(self._release.engine, samples, self._release.manifest)
        for actual, wanted, tensor in zip(found, expected, tensors["outputs"]):
            if not runner.worst_difference(actual, wanted[:1], tensor) <= tensor["tolerance"]:
                raise RuntimeError("a golden vector of %s differs" % tensor["name"])

    def facts(self) -> dict[str, Any]:
        """Return what the service says of the release."""
        manifest = self._release.manifest
        return {
            "protocol": frames.PROTOCOL,
            "model": manifest["model"],
            "recipe": manifest["recipe"],
            "task": manifest["meaning"]["task"],
            "labels": self._release.labels,
            "engine": self._release.engine.version(),
            "inputs": [
                {"name": one["name"], "shape": one["shape"][1:], "dtype": one["stored"]}
                for one in self._inputs
            ],
        }

    def answer(self, asked: dict[str, Any], body: bytes) -> Any:
        """Return status with JSON, and bytes, for a request."""
        try:
            return self._answer(asked, self._sample(asked, body))
        except MalformedError as error:
            return {"status": 400, "json": {"error": "malformed", "detail": str(error)}}, b""
        except Exception as error:  # the engine's: it may do better with the next sample
            detail = "%s: %s" % (type(error).__name__, error)
            return {"status": 500, "json": {"error": "failed", "detail": detail[:500]}}, b""

    def _sample(self, asked: dict[str, Any], body: bytes) -> list[Any]:
        try:
            found = npy_arrays(body) if asked["npy"] else json_arrays(body, self._inputs)
            if asked["recorded"] and len(found) == 1:
                found = [self._release.sample(found[0])]
            if len(found) != len(self._inputs):
                raise MalformedError("%d inputs, not %d" % (len(found), len(self._inputs)))
            pairs = zip(found, self._inputs)
            sample = [as_stored(array, tensor) for array, tensor in pairs]
            self._release.require(*sample)
        except (ValueError, TypeError, OverflowError, SyntaxError) as error:
            raise MalformedError(str(error)[:500]) from error
        return sample

    def _answer(self, asked: dict[str, Any], sample: list[Any]) -> Any:
        start = time.perf_counter()
        outputs = self._release.outputs(*sample)
        latency_ms = (time.perf_counter() - start) * 1e3
        if not np.isfinite(outputs[0]).all():
            raise ArithmeticError("the network's output is no number")
        said = self._release.said(sample[0], outputs[0])
        answer = {"release": self.name, "latency_ms": latency_ms, **said}
        names = [tensor["name"] for tensor in self._inputs]
        arrays = dict(zip(names, sample))
        answer.update(self._keeper.consider(arrays, self.name, said, asked))
        return {"status": 200, "json": answer}, npy_bytes(outputs[0]) if asked["raw"] else b""


def npy_bytes(array: Any) -> bytes:
    """Return an array as an .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def claim_channel() -> socket.socket:
    """Return the socket that is standard input; what an engine starts must not inherit it."""
    channel = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return channel


def opened(options: dict[str, Any], channel: socket.socket) -> Served | None:
    """Return the release, warm; or say why that cannot be."""
    try:
        served = Served(HERE, options)
        served.warm()
        frames.send(channel, served.facts())
    except (Exception, SystemExit) as error:
        hardware = isinstance(error, OSError) and error.errno == errno.ENODEV
        detail = ("%s: %s" % (type(error).__name__, error))[:500]
        frames.send(channel, {"error": detail, "hardware": hardware})
        return None
    return served


def main() -> int:
    """Answer until the service is gone."""
    channel = claim_channel()
    served = opened(json.loads(sys.argv[1]), channel)
    if served is None:
        return 1
    while True:
        try:
            asked, body = frames.receive(channel)
            frames.send(channel, *served.answer(asked, body))
        except (EOFError, OSError):
            return 0


if __name__ == "__main__":
    sys.exit(main())
