"""The compiler of `tiny-old-python`: its package is not installed where edgeflow is."""

import sys
from pathlib import Path
from typing import Any, Dict  # noqa: UP035  # of an old Python


class Refused(Exception):
    """The compiler cannot read the model."""

    hint = "train another one"


def work(job: Dict[str, Any], folder: Path) -> Dict[str, Any]:  # noqa: UP006
    """Write model.tflite from in.tflite."""
    import tiny_compiler  # type: ignore[import-not-found]  # of old-python.txt

    try:
        model = tiny_compiler.compiled((folder / "in.tflite").read_bytes())
    except ValueError as error:
        raise Refused(str(error)) from error
    (folder / "model.tflite").write_bytes(model)
    return {"written_by": "Python {}.{}".format(*sys.version_info[:2])}
