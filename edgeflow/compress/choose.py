"""The recipe `auto`: tries recipes, the cheapest first, and takes the first that is good enough."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from edgeflow.artifact.fingerprint import fingerprint
from edgeflow.artifact.manifest import read_manifest
from edgeflow.compress.evaluate import metric
from edgeflow.compress.form import NETWORK
from edgeflow.compress.slice import Candidate, CompressSlice
from edgeflow.console import say
from edgeflow.dataset.view import DatasetView
from edgeflow.errors import CompileError, TrainingError
from edgeflow.tasks.registry import task_of
from edgeflow.text import excerpt, tail

FILES = ("model.tflite", "float.tflite")
UNFIT = (CompileError.exit_code, TrainingError.exit_code)
"""What a candidate ends with if it does not suit the network: the next one is tried."""


def run(
    name: str,
    dataset: DatasetView,
    folder: Path,
    teachers: Mapping[str, Path],
    slice_: CompressSlice,
    out: Path,
) -> dict[str, object]:
    """Write the model of the first recipe that meets the gate; return facts with the reasons.

    The gate is held against the validation set: the test set must not take part in a choice.

    Args:
        name: model and recipe, for messages.
        dataset: with its validation part.
        folder: of the trained model.
        teachers: folders of trained models, by name.
        slice_: the candidates and the gate.
        out: folder to write into.

    Raises:
        CompileError: no candidate meets the gate; the message names the drop of each.
    """
    auto = slice_.recipe.auto
    if auto is None:
        raise ValueError("a choice needs the key `auto`")
    judge = task_of(dataset.facts).metric
    most = auto.limit(judge)
    reference = float(read_manifest(folder / "manifest.json").facts["metric_validation"])
    tried: list[dict[str, object]] = []
    for recipe in auto.recipes:  # not the mapping: canonical JSON sorts its keys
        candidate = slice_.candidates[recipe]
        with tempfile.TemporaryDirectory(dir=out) as scratch:
            result = Path(scratch) / "candidate"  # its parent must not be `out`, which is locked
            failure = _compress(f"{name}:{recipe}", dataset, folder, teachers, candidate, result)
            if failure:
                say(f"{name}: {recipe} cannot be made: {failure}")
                tried.append({**_reason(recipe, None, most), "failure": failure})
                continue
            model = (result / "model.tflite").read_bytes()
            worse = judge.worse_by(reference, metric(model, dataset, "validation"))
            tried.append(_reason(recipe, worse, most))
            say(f"{name}: {recipe} costs {worse:.4f} of {judge.title} on the validation set")
            if worse <= most:
                return {**_take(result, out), "chosen": recipe, "tried": tried}
    raise CompileError(
        f"{name}: no recipe keeps the {judge.title} within {most:g}: "
        + ", ".join(map(_told, tried)),
        hint="add a recipe that costs less, such as `quantize: qat-int8`, or raise "
        f"auto.{judge.change.gate}",
    )


def _compress(
    name: str,
    dataset: DatasetView,
    model: Path,
    teachers: Mapping[str, Path],
    candidate: Candidate,
    out: Path,
) -> str:
    """Make a candidate as its own step would, which finds it in the store if it did.

    Returns:
        Why the network cannot take the recipe, in one line; empty if it can.

    A process for each: tfmot's wrappers trip over what earlier ones left in theirs.
    """
    arguments = {
        "name": name,
        "dataset": str(dataset.folder),
        "model": str(model),
        "slice": json.dumps(candidate.slice.model_dump(mode="json")),
        "code": fingerprint(*candidate.modules),
        "out": str(out),
    }
    distill = candidate.slice.recipe.distill
    folders = [teachers[distill.teacher]] if distill else []
    command = [sys.executable, "-m", "edgeflow", "compress"]
    command += [part for key, value in arguments.items() for part in (f"--{key}", value)]
    command += [part for path in folders for part in ("--teacher", str(path))]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode < 0:
        return f"the process ended with signal {-done.returncode}"
    if done.returncode in UNFIT:
        # TensorFlow's notes before it have times in them.
        return excerpt(done.stderr.rpartition("error: ")[2], 500)
    if done.returncode != 0:
        raise CompileError(
            f"{name} failed: {tail(done.stderr)}", hint="leave the recipe out of `auto.recipes`"
        )
    return ""


def _reason(recipe: str, worse: float | None, most: float) -> dict[str, object]:
    taken = worse is not None and worse <= most
    return {"recipe": recipe, "worse_by": worse, "worse_by_max": most, "taken": taken}


def _told(entry: Mapping[str, object]) -> str:
    if "failure" in entry:
        return f"{entry['recipe']} cannot be made ({entry['failure']})"
    return f"{entry['recipe']} costs {entry['worse_by']:g}"


def _take(result: Path, out: Path) -> dict[str, object]:
    """Copy a candidate's files; return those of its facts that later steps read."""
    for file in FILES:
        shutil.copyfile(result / file, out / file)
    shutil.copytree(result / NETWORK, out / NETWORK)
    facts = read_manifest(result / "manifest.json").facts
    return {
        key: facts[key] for key in ("recipe", "outputs", "parameters", "kept_float") if key in facts
    }
