"""Runs rknn-toolkit2, in a program of its own: this file is that too.

The toolkit writes bytes of memory into the file for the RK3588 that it never set: they hold what
the memory held before, another thing each time. Only when a program starts can its C library be
told to fill such memory, here with zeros.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ONNX = "model.onnx"
MODEL = "model.rknn"
CALIBRATION = "calibration_{:02}.npy"
"""Samples for the scales along the first axis, a file for each input."""
SAMPLES = "samples_{:02}.npy"
"""The same for the simulator."""
SIMULATED = "outputs_{:02}.npy"
"""What the simulator makes of those, a file for each output."""
_PLAN = "plan.json"
_TOLD = "told.json"
_SET_MEMORY = {
    "MALLOC_PERTURB_": "255",  # fills with the complement, zeros
    "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",  # whose memory is not filled
}
_LAYER = re.compile(
    r"^D RKNN: \S+ \d+ +(?P<operator>\S+) +\S+ +(?P<target>NPU|CPU|GPU) +\S+ +\S+ +"
    r"\d+/\d+/(?P<cycles>\d+) +\S+ +(?P<name>.*)$",
    re.MULTILINE,
)
_TABLE = "Network Layer Information Table"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_ENDS = ("InputOperator", "OutputOperator")


class Refused(Exception):
    """The toolkit cannot build the model."""

    hint = "change the network as the toolkit's reason says, or use another recipe or target"


def work(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Build model.onnx; simulate it if that is the task.

    Args:
        job: ``task``, ``build`` or ``simulate``; ``platform``, the SoC; ``algorithm`` of the
            quantizer, empty for float16; the number of ``inputs`` of which there are samples.
        folder: holds the files named above, and gets model.rknn or the outputs.

    Returns:
        Of a build ``operators``, each with ``operator``, ``name``, ``target`` and ``cycles``, and
        ``spreads`` of the outputs over the calibration samples, none without these.
    """
    with tempfile.TemporaryDirectory() as scratch:  # the toolkit leaves files where it runs
        plan = {**job, "folder": str(folder)}
        Path(scratch, _PLAN).write_text(json.dumps(plan))
        said = _run(Path(scratch))
        told = json.loads(Path(scratch, _TOLD).read_bytes())
    if job["task"] == "simulate":
        return {}
    if not (folder / MODEL).is_file():
        raise Refused("rknn-toolkit2 reports success, but wrote no model")
    return {"operators": _layers(said), "spreads": told["spreads"]}


def _run(scratch: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-s", __file__],
        cwd=scratch,
        env={**os.environ, **_SET_MEMORY},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    said = _COLOURS.sub("", done.stdout + done.stderr)
    print(said)  # for the step's log
    if done.returncode != 0:
        raise Refused("rknn-toolkit2: " + _reason(said, done.returncode))
    return said


def _reason(said: str, code: int) -> str:
    """Return the last error that the toolkit tells, without the traceback around it."""
    lines = [line.strip() for line in said.splitlines()]
    errors = [line for line in lines if re.match(r"(E |[\w.]*(Error|Exception)\b)", line)]
    own = [line for line in errors if not line.endswith("Traceback (most recent call last):")]
    told = [line for line in own if "rknn-toolkit2 version" not in line]
    if not told:
        return f"it ended with exit code {code}"
    return re.sub(r"^(E +|[\w.]*(Error|Exception): )", "", told[-1])


def _layers(said: str) -> list[dict[str, Any]]:
    """Return the operators of the toolkit's last table of layers."""
    _, found, table = said.rpartition(_TABLE)
    if not found:
        raise Refused("rknn-toolkit2 printed no table of layers")
    return [
        {**layer.groupdict(), "cycles": int(layer["cycles"])}
        for layer in _LAYER.finditer(table)
        if layer["operator"] not in _ENDS
    ]


def _main() -> None:
    """Do what the plan in the working directory says, with the toolkit."""
    from rknn.api import RKNN  # type: ignore[import-not-found]  # of envs/rknn.txt

    plan = json.loads(Path(_PLAN).read_bytes())
    folder, builds = Path(plan["folder"]), plan["task"] == "build"
    toolkit = RKNN(verbose=builds)
    algorithm = {"quantized_algorithm": plan["algorithm"]} if plan["algorithm"] else {}
    _need(toolkit.config(target_platform=plan["platform"], **algorithm), "take the options")
    _need(toolkit.load_onnx(str(folder / ONNX)), "load the model")
    listed = _samples(folder, CALIBRATION)
    given = {"dataset": _listed(listed)} if plan["algorithm"] else {}
    _need(toolkit.build(do_quantization=bool(given), **given), "build the model")
    if builds:
        _need(toolkit.export_rknn(str(folder / MODEL)), "write the model")
    samples = listed if builds else _samples(folder, SAMPLES)
    outputs = _simulated(toolkit, samples)
    if not builds:
        _save(outputs, folder)
    spreads = [float(array.max() - array.min()) for array in outputs]
    Path(_TOLD).write_text(json.dumps({"spreads": spreads}))


def _samples(folder: Path, pattern: str) -> list[Any]:
    """Return the samples of each input."""
    import numpy as np

    paths = (folder / pattern.format(place) for place in range(100))
    return [np.load(path) for path in paths if path.is_file()]


def _listed(arrays: list[Any]) -> str:
    """Write a file for each sample of each input, and return the list of them, a sample a line."""
    import numpy as np

    rows = []
    for row in range(len(arrays[0])):
        names = [f"sample_{row}_{place}.npy" for place in range(len(arrays))]
        for name, array in zip(names, arrays, strict=True):
            np.save(name, array[row : row + 1])
        rows.append(" ".join(names))
    Path("samples.txt").write_text("\n".join([*rows, ""]))
    return "samples.txt"


def _simulated(toolkit: Any, arrays: list[Any]) -> list[Any]:
    """Return what the simulator makes of samples; nothing without samples."""
    import numpy as np

    if not arrays:
        return []
    _need(toolkit.init_runtime(), "start the simulator")  # which it is without a target
    as_given = ["nchw"] * len(arrays)  # nothing is moved: the model's own shapes
    rows = []
    for row in range(len(arrays[0])):
        sample = [array[row : row + 1] for array in arrays]
        rows.append(toolkit.inference(inputs=sample, data_format=as_given))
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def _save(outputs: list[Any], folder: Path) -> None:
    import numpy as np

    for place, array in enumerate(outputs):
        np.save(folder / SIMULATED.format(place), array)


def _need(code: int, what: str) -> None:
    """End where the toolkit returns an error: it raises but some."""
    if code != 0:
        sys.exit(f"it could not {what}: {code}")


if __name__ == "__main__":
    _main()
