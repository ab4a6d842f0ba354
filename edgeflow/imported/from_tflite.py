"""Imports .tflite files, float ones and those that are quantized already."""

import tempfile
from pathlib import Path

from edgeflow.compress.evaluate import host_outputs
from edgeflow.compress.source import FLATBUFFER_FILE
from edgeflow.config.modelfile import quantization
from edgeflow.imported.model import Imported, Request
from edgeflow.worker import run_worker

HINT = "export it with a batch of 1, of LiteRT's built-in operators alone"


def load(request: Request, out: Path) -> Imported:
    """Write model.tflite, with static sizes and one input and output.

    Raises:
        CompileError: the file cannot be read or run, or does not fit.
    """
    import numpy as np

    job = {
        "source": str(request.source.absolute()),
        "input": request.input,
        "output": request.output,
        "facts": request.facts.model_dump(mode="json"),
    }
    with tempfile.TemporaryDirectory(dir=out.absolute()) as name:
        folder = Path(name)
        np.save(folder / "samples.npy", request.samples())
        title = str(request.source)
        run_worker("edgeflow.imported.tflite_worker", job, folder, title=title, hint=HINT)
        flatbuffer = (folder / FLATBUFFER_FILE).read_bytes()
    (out / FLATBUFFER_FILE).write_bytes(flatbuffer)
    return Imported(
        predict=lambda x: host_outputs(flatbuffer, x), quantized=quantization(request.source)
    )
