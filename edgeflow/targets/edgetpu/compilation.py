"""A recipe's model, compiled for the Edge TPU: success is what the compiler can prove."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeflow.config.tflitefile import Tflite, read_tflite
from edgeflow.console import say
from edgeflow.errors import CompileError
from edgeflow.targets.base import CompiledModel, CompileInput
from edgeflow.targets.edgetpu.failures import SUCCEEDED, hint_for, reason_of
from edgeflow.targets.edgetpu.figures import figures_of
from edgeflow.targets.edgetpu.options import TOLERANCE, EdgeTPUOptions
from edgeflow.targets.edgetpu.output import MAPPED, Block, Row, blocks_of, merged, read_block

MODEL = "model.tflite"
PIPELINE = "pipeline.json"
GRACE_S = 60
"""How long after its own timeout the compiler may take to end."""
SEARCH_TRIES = 20
"""Attempts of a search that may take as long as one may at most; most end at once."""


def compile_for(job: CompileInput, options: EdgeTPUOptions, out: Path) -> CompiledModel:
    """Let the compiler write the model, or its segments, into `out`.

    Raises:
        CompileError: it refuses the model, ends without one, or not in time.
    """
    outputs = output_names(options.segments)
    tries = SEARCH_TRIES if options.search_delegate else 1
    asked = {
        "command": command(options),
        "inputs": [MODEL, "job.json"],
        "outputs": outputs,
        "limit_s": options.timeout_s * options.segments * tries + GRACE_S,
    }
    title, hint = job.worker.title, "run the command that the log names by hand"
    answer = job.worker.run(asked, {MODEL: job.model}, out, hint=hint)
    blocks = _judged(title, answer, outputs, out)
    network = _read(job.model)
    require_chain(title, network, [_read(out / name) for name in outputs])
    if options.segments > 1:
        _write_pipeline(network, outputs, out)
    on_cpu = _cpu_rows(blocks)
    for row in on_cpu:
        say(f"{title}: {row.count} {row.operator} on the CPU: {row.status}")
    counts = {
        "accelerator": sum(block.mapped for block in blocks),
        "cpu": sum(block.unmapped for block in blocks),
    }
    return CompiledModel(
        model=outputs[0] if options.segments == 1 else PIPELINE,
        operators=counts,
        tolerances=_tolerances(job.model, options.tolerance_steps),
        figures=figures_of(blocks),
        facts={
            "cpu_operators": [
                {"operator": row.operator, "count": row.count, "reason": row.status}
                for row in on_cpu
            ]
        },
    )


def output_names(segments: int) -> list[str]:
    """Return the names that the compiler gives its files."""
    stem = MODEL.removesuffix(".tflite")
    if segments == 1:
        return [f"{stem}_edgetpu.tflite"]
    return [f"{stem}_segment_{place}_of_{segments}_edgetpu.tflite" for place in range(segments)]


def command(options: EdgeTPUOptions) -> list[str]:
    """Return the compiler's command; it names no default, which older versions may not know."""
    valued = {
        "--min_runtime_version": "min_runtime_version",
        "--num_segments": "segments",
        "--timeout_sec": "timeout_s",
    }
    fields = EdgeTPUOptions.model_fields
    asked = {flag: getattr(options, name) for flag, name in valued.items()}
    other = {flag: asked[flag] for flag in valued if asked[flag] != fields[valued[flag]].default}
    return [
        options.compiler,
        *("--show_operations", "--out_dir", "."),
        *(["-a"] if options.multiple_subgraphs else []),
        *(["--search_delegate"] if options.search_delegate else []),
        *(word for flag, value in other.items() for word in (flag, str(value))),
        MODEL,
    ]


def _judged(
    title: str, answer: Mapping[str, Any], outputs: Sequence[str], out: Path
) -> tuple[Block, ...]:
    """Return what the compiler says of each file that it was to make.

    It documents no exit codes, so success is all of: exit code 0, its own word, and the files.

    Raises:
        CompileError: one of them is missing.
    """
    said, code = str(answer.get("said", "")), answer.get("exit_code")
    logs = answer.get("logs") if isinstance(answer.get("logs"), Mapping) else {}
    texts = blocks_of(said)
    missing = [name for name in outputs if name not in texts or not _is_tflite(out / name)]
    if code != 0 or not SUCCEEDED.search(said) or missing:
        raise _refusal(title, said, code, missing)
    blocks = []
    for name in outputs:
        log = str((logs or {}).get(name.replace(".tflite", ".log"), ""))
        block = read_block(texts[name], log)
        if block is None:
            raise CompileError(
                f"{title}: edgetpu_compiler tells no memory or operators of {name}",
                hint="edgeflow reads what versions 2 to 16 print: `edgetpu_compiler --version`",
            )
        blocks.append(block)
    return tuple(blocks)


def _refusal(title: str, said: str, code: object, missing: Sequence[str]) -> CompileError:
    if code is None:
        reason = "it did not end in time"
        hint = "set a longer `timeout_s`, or try a smaller input or fewer channels"
        return CompileError(f"{title}: edgetpu_compiler: {reason}", hint=hint)
    reason = reason_of(said)
    if not reason and missing:
        reason = f"it gives no reason, and made no {', '.join(missing)} (exit code {code})"
    return CompileError(
        f"{title}: edgetpu_compiler: {reason or f'exit code {code}'}", hint=hint_for(said)
    )


def _is_tflite(path: Path) -> bool:
    return path.is_file() and read_tflite(path) is not None


def _read(path: Path) -> Tflite:
    read = read_tflite(path)
    if read is None:
        raise CompileError(f"{path} is no .tflite, or is damaged", hint="export it again")
    return read


def require_chain(title: str, network: Tflite, parts: Sequence[Tflite]) -> None:
    """Check that a compiled model, or its segments in their order, can take the network's place.

    The compiler keeps names, shapes and types of what goes in and comes out.

    Raises:
        CompileError: a part reads what nothing before it gives, or the ends are not the network's.
    """
    made = _forms(network, network.inputs)
    fit = True
    for part in parts:
        fit = fit and _forms(part, part.inputs).items() <= made.items()
        made |= _forms(part, part.outputs)
    wanted = _forms(network, network.outputs)
    if len(parts) == 1:  # its tensors are told apart by position
        (whole,) = parts
        fit = fit and list(_forms(whole, whole.inputs)) == list(_forms(network, network.inputs))
        fit = fit and list(_forms(whole, whole.outputs)) == list(wanted)
    if not fit or not wanted.items() <= made.items():
        raise CompileError(
            f"{title}: edgetpu_compiler made inputs and outputs that are not the network's",
            hint="try it without `segments` and `search_delegate`",
        )


def _forms(graph: Tflite, places: Iterable[int]) -> dict[str, tuple[tuple[int, ...], str]]:
    tensors = [graph.tensors[place] for place in places]
    return {tensor.name: (tensor.shape, tensor.dtype) for tensor in tensors}


def _write_pipeline(network: Tflite, outputs: Sequence[str], out: Path) -> None:
    """Write the order of the segments, and the names of the network's ends."""
    ends = {"inputs": network.inputs, "outputs": network.outputs}
    names = {
        side: [network.tensors[place].name for place in places] for side, places in ends.items()
    }
    text = json.dumps({"segments": list(outputs), **names}, indent=2, sort_keys=True)
    (out / PIPELINE).write_text(text + "\n")


def _tolerances(model: Path, steps: int) -> tuple[float, ...]:
    """Return by how much each output may differ from LiteRT's: so many of its steps."""
    from ai_edge_litert.interpreter import Interpreter

    outputs = Interpreter(str(model)).get_output_details()
    return tuple(steps * float(one["quantization"][0]) or TOLERANCE for one in outputs)


def _cpu_rows(blocks: Sequence[Block]) -> tuple[Row, ...]:
    """Return the operators that the CPU runs, by name and reason."""
    return merged(row for block in blocks for row in block.rows if row.status != MAPPED)
