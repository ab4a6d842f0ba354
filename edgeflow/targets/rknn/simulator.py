"""The reference outputs of `rknn`: Rockchip's simulator, which runs what the toolkit has built.

A .rknn file cannot be simulated, so the network is built again, from the same ONNX and samples.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from edgeflow.targets.base import CompileInput
from edgeflow.targets.rknn.compilation import ends_of, given_to_worker
from edgeflow.targets.rknn.rknn_worker import SAMPLES, SIMULATED

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HINT = "the step's log has all that rknn-toolkit2 printed"


class Engine:
    """A network in the simulator; each call builds it."""

    clock = "none"

    def __init__(self, job: CompileInput, platform: str) -> None:
        """Take what the compiler took."""
        self._job, self._platform = job, platform
        self._io = ends_of(job.float_model)

    @classmethod
    def of_job(cls, job: CompileInput, options: dict[str, Any]) -> Self:
        """Return the engine for a compilation."""
        return cls(job, options["platform"])

    def io(self) -> dict[str, Any]:
        """Return inputs and outputs, all in float32."""
        return dict(self._io)

    def infer_many(self, *inputs: "NDArray[Any]") -> list["NDArray[Any]"]:
        """Return the outputs for all samples, which lie along the first axis.

        Raises:
            CompileError: the toolkit fails.
        """
        import numpy as np

        with (
            tempfile.TemporaryDirectory() as name,
            given_to_worker(self._job, self._platform) as (arguments, files),
        ):
            folder = Path(name)
            for place, array in enumerate(inputs):
                files[SAMPLES.format(place)] = folder / SAMPLES.format(place)
                np.save(files[SAMPLES.format(place)], array)
            job = {**arguments, "task": "simulate", "inputs": len(inputs)}
            self._job.worker.run(job, files, folder, hint=_HINT)
            places = range(len(self._io["outputs"]))
            return [np.load(folder / SIMULATED.format(place)) for place in places]

    def infer(self, *inputs: "NDArray[Any]") -> list["NDArray[Any]"]:
        """Return the outputs for one sample."""
        return self.infer_many(*inputs)
