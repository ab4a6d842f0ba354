"""Imports .tflite files, float ones and those that are quantized already."""

import tempfile
from pathlib import Path

from edgeflow.compress.evaluate import every_output
from edgeflow.compress.source import FLATBUFFER_FILE
from edgeflow.config.modelfile import quantization
from edgeflow.imported.exchange import write_samples
from edgeflow.imported.model import Imported, Request
from edgeflow.worker import run_worker

HINT = "export it with a batch of 1, of LiteRT's built-in operators alone"


def load(request: Request, out: Path) -> Imported:
    """Write model.tflite, with static sizes.

    Raises:
        CompileError: the file cannot be read or run, or does not fit.
    """
    job = {
        "source": str(request.source.absolute()),
        "input": request.input,
        "output": request.output,
        "facts": request.facts.model_dump(mode="json"),
    }
    with tempfile.TemporaryDirectory(dir=out.absolute()) as name:
        folder = Path(name)
        write_samples(request.samples(), folder)
        title = str(request.source)
        answer = run_worker("edgeflow.imported.tflite_worker", job, folder, title=title, hint=HINT)
        flatbuffer = (folder / FLATBUFFER_FILE).read_bytes()
    (out / FLATBUFFER_FILE).write_bytes(flatbuffer)
    return Imported(
        predict=lambda inputs: every_output(flatbuffer, inputs),
        outputs=answer["outputs"],
        quantized=quantization(request.source),
    )
