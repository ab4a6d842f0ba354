"""Quantizes in a process of its own what may end the process.

TensorFlow's quantizer ends with a segmentation fault on some loops. Straight networks, nearly all,
are quantized where they are: another process would import TensorFlow anew.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from edgeflow.compress.options import parts_of
from edgeflow.compress.source import Source, open_source
from edgeflow.config.recipe import Recipe
from edgeflow.dataset.view import DatasetView, open_dataset
from edgeflow.errors import CompileError
from edgeflow.text import tail

FLOAT, RESULT, FACTS = "float.tflite", "result.tflite", "facts.json"


def quantized_apart(
    name: str, source: Source, dataset: DatasetView, recipe: Recipe, float_model: bytes
) -> tuple[bytes, dict[str, object]]:
    """Do what `conversion.quantized` does, in a process of its own.

    Raises:
        CompileError: the process failed, or crashed; the message names the layers with loops.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / FLOAT).write_bytes(float_model)
        arguments = [name, str(source.save(folder)), str(dataset.folder.absolute())]
        # The same search path: whatever edgeflow this is must be the one that runs there.
        command = [sys.executable, "-m", __name__, *arguments, recipe.model_dump_json(), scratch]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode == CompileError.exit_code:
            failure = json.loads((folder / FACTS).read_text())
            raise CompileError(failure["message"], hint=failure["hint"])
        if done.returncode != 0:
            raise CompileError(
                f"{name}: the converter ended with {_reason(done)} for quantize: "
                f"{recipe.quantize}; these layers run loops: {', '.join(source.loops())}",
                hint="give recurrent layers a fixed number of steps and no mask, so that they can "
                "be unrolled, or use `quantize: dynamic`, `fp16` or `none`",
            )
        return (folder / RESULT).read_bytes(), json.loads((folder / FACTS).read_text())


def _reason(done: "subprocess.CompletedProcess[str]") -> str:
    if done.returncode < 0:
        return f"signal {-done.returncode}"
    return f"code {done.returncode} ({tail(done.stderr, 300)})"


def main(name: str, source: str, dataset: str, recipe: str, scratch: str) -> int:
    """Quantize; write the result and its facts, or what failed, and return the exit code."""
    from edgeflow.compress.conversion import quantized_here

    parsed, folder = Recipe.model_validate_json(recipe), Path(scratch)
    try:
        model, facts = quantized_here(
            name,
            open_source(Path(source)),
            open_dataset(Path(dataset), parts_of(parsed)),
            parsed,
            (folder / FLOAT).read_bytes(),
        )
    except CompileError as error:
        failure = {"message": error.message, "hint": error.hint}
        (folder / FACTS).write_text(json.dumps(failure))
        return error.exit_code
    (folder / RESULT).write_bytes(model)
    (folder / FACTS).write_text(json.dumps(facts))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
