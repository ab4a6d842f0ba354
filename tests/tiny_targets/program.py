"""What the engine of `tiny-child` starts: runs a model over samples, as an emulator would.

Arguments are the model and, to run it, a file with inputs and one for outputs. It prints what the
model is and what it counted, as one JSON object.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def tensor(details: Any) -> dict[str, Any]:
    """Return a tensor's description in the form of an engine's `io`."""
    scale, zero_point = details["quantization"]
    return {
        "name": details["name"],
        "shape": details["shape"].tolist(),
        "dtype": details["dtype"].__name__,
        "scale": float(scale),
        "zero_point": int(zero_point),
    }


def run(interpreter: Any, samples: Any) -> Any:
    """Return the outputs of the samples."""
    (source,), (sink,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for sample in samples:
        interpreter.set_tensor(source["index"], sample[None])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(sink["index"]))
    return np.concatenate(rows)


def main(model: str, *files: str) -> None:
    """Run the model over the samples of a file, if there is one."""
    interpreter = Interpreter(model)
    interpreter.allocate_tensors()
    tensors = interpreter.get_tensor_details()
    if files:
        np.save(files[1], run(interpreter, np.load(files[0], allow_pickle=False)))
    sizes = [int(np.prod(one["shape"])) * np.dtype(one["dtype"]).itemsize for one in tensors]
    answer = {
        "inputs": [tensor(one) for one in interpreter.get_input_details()],
        "outputs": [tensor(one) for one in interpreter.get_output_details()],
        "operators": len(interpreter._get_ops_details()),
        "tensor_bytes": sum(sizes),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
