"""From a float .tflite to a VPU graph with what its engine reads."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgeflow.errors import CompileError
from edgeflow.figures.accelerator import ACCELERATOR_SHARE, accelerator_share
from edgeflow.ondevice.engine_myriad import FACTS
from edgeflow.targets.base import CompiledModel, CompileInput
from edgeflow.targets.myriad import REFERENCE
from edgeflow.targets.myriad.blob import Graph, Tensor, read_graph
from edgeflow.targets.myriad.network import write_network
from edgeflow.targets.myriad.worker import BLOB

_HINT = "try another recipe, or another target for this model"


def compile_for(
    job: CompileInput, platform: str, config: Mapping[str, str], place: Path, out: Path
) -> CompiledModel:
    """Compile a network.

    Args:
        job: what is compiled; its float network is.
        platform: chip of the stick.
        config: what OpenVINO's plug-in is told.
        place: folder for what does not stay.
        out: gets model.blob, myriad.json, and reference.onnx for the host.

    Raises:
        CompileError: a tool refuses the network, or the graph is not what was asked for.
    """
    network = place / "model.onnx"
    known = write_network(job.float_model, network)
    asked = {"platform": platform, "config": dict(config), **known}
    ends = job.worker.run(asked, {"model.onnx": network}, out, hint=_HINT)
    graph = read_graph((out / BLOB).read_bytes())
    stages = sum(graph.stages.values())
    facts = {
        "platform": platform,
        "stages": stages,
        "inputs": _tensors(graph.inputs, ends["inputs"]),
        "outputs": _tensors(graph.outputs, ends["outputs"]),
    }
    (out / FACTS).write_text(json.dumps(facts, sort_keys=True))
    shutil.copyfile(network, out / REFERENCE)
    return CompiledModel(
        model=BLOB,
        operators={"accelerator": stages},
        figures={ACCELERATOR_SHARE.name: accelerator_share(stages, stages)},
        host_files=(REFERENCE,),
        facts={"graph": _kept(graph)},
    )


def _tensors(found: tuple[Tensor, ...], names: list[str]) -> list[dict[str, Any]]:
    """Return inputs or outputs in the order of the network.

    Raises:
        CompileError: the graph has others, or of another type.
    """
    by_name = {tensor.name: tensor for tensor in found if tensor.dtype == "float32"}
    if sorted(by_name) != sorted(names):
        raise CompileError(
            f"the VPU graph has inputs or outputs {', '.join(map(str, found))}, not "
            f"{', '.join(names)} in float32",
            hint="use a network whose inputs and outputs are floats, each for itself",
        )
    return [{"name": name, "shape": list(by_name[name].shape)} for name in names]


def _kept(graph: Graph) -> dict[str, Any]:
    sizes = asdict(graph)
    return {name: sizes[name] for name in ("stages", "shaves", "cmx_slices", "work_bytes")}
