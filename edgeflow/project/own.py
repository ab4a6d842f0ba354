"""The draft of a project for data and models that a user brings."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgeflow.check.networks import known_facts
from edgeflow.check.peek import peek
from edgeflow.errors import DataError
from edgeflow.project import network
from edgeflow.project.draft import AS_IT_IS, FLOAT, INT8, Draft
from edgeflow.project.modelends import ModelEnds, model_ends
from edgeflow.project.propose import Proposal, config_name, propose, told_counts
from edgeflow.project.yamltext import comment, entry

FILL_IN = "FILL-IN"
"""Stands for what only the user can tell; `edgeflow check` names the key where it stands."""
_TOLD = {
    "size": "height and width that images are resized to: half the side, a quarter of the time",
    "channels": "1 grey, 3 colour",
    "seconds": "what is longer is cut, what is shorter filled up with silence",
    "features": "computed alike here and on the device",
    "preprocess": "each channel to mean 0 and deviation 1, on the device too",
    "calibration": "samples that int8 takes its ranges from",
}


def draft_from(folder: Path, data: Path | None, model: Path | None) -> tuple[Draft, list[str]]:
    """Return a project's draft, and what to tell its user.

    Args:
        folder: of the project, so that paths within it are told from there.
        data: a folder or an .npz file.
        model: a model file; without it a network is chosen for the data.

    Raises:
        DataError: no dataset can be made of the data.
        CompileError: the model cannot be read, or does not fit the data.
    """
    ends = model_ends(model.expanduser()) if model else None
    proposal = None if data is None else _proposal(data, ends)
    if model is None or ends is None:
        if proposal is None:
            raise ValueError("neither data nor a model")
        return _of_data(folder, proposal), list(_said(proposal))
    if proposal is None:
        return _of_model(folder, model, ends), [*_said_of(ends), _missing(ends)]
    _require_fit(model, ends, proposal)
    return _of_both(folder, model, ends, proposal), [*_said_of(ends), *_said(proposal)]


def _proposal(data: Path, ends: ModelEnds | None) -> Proposal:
    height, width, channels = (ends.image if ends else None) or (None, None, None)
    size = (height, width) if height and width else None
    return propose(data, size, channels if channels in (1, 3) else None)


def _require_fit(model: Path, ends: ModelEnds, proposal: Proposal) -> None:
    from edgeflow.imported.inspection import refusal

    error = refusal(
        model.expanduser(),
        known_facts({"datasets": {proposal.name: proposal.values}}, proposal.name),
        _input(ends),
        None,
    )
    if error:
        raise type(error)(f"{model} does not fit the data: {error.message}", hint=error.hint)


def _input(ends: ModelEnds) -> str | None:
    """Return the name of the input that takes the sample, where there are several."""
    if len(ends.inputs) == 1:
        return None
    return max(ends.inputs, key=lambda end: len(end.sizes or ())).name


def _of_data(folder: Path, proposal: Proposal) -> Draft:
    seen = peek(proposal.section)
    if seen is None:
        raise DataError("the shape of samples cannot be told", hint="write config.yaml by hand")
    shape, source = next(iter(seen.inputs.values())), proposal.values["source"]
    name = config_name(f"{proposal.name}-net")
    values = {
        "dataset": proposal.name,
        "architecture": network.architecture(shape, source),
        "train": network.training(proposal.parts["train"], shape, source),
    }
    told = {"architecture": "a start; or one of your own, `module:function`"}
    if "augment" in values["train"]:
        told["train"] = "flip: true if a mirrored image is of the same class"
    return Draft(
        title=f"A model of its own for {proposal.name}.",
        model_name=name,
        dataset=_dataset(folder, proposal),
        model=entry(name, values, told),
        gates=network.gates(proposal.task, proposal.parts["test"]),
    )


def _dataset(folder: Path, proposal: Proposal) -> str:
    values = {**proposal.values, "path": _from(folder, Path(proposal.values["path"]))}
    told = [*told_counts(proposal), *(finding.line() for finding in proposal.findings)]
    return comment(told) + entry(proposal.name, values, _TOLD)


def _from(folder: Path, path: Path) -> str:
    """Return a path as it is written in a project: from there, if it lies there."""
    root = folder.expanduser().absolute()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _said(proposal: Proposal) -> Iterator[str]:
    yield from told_counts(proposal)
    yield from (finding.line() for finding in proposal.findings)


def _said_of(ends: ModelEnds) -> Iterator[str]:
    yield f"inputs: {', '.join(end.told() for end in ends.inputs)}"
    yield f"outputs: {', '.join(end.told() for end in ends.outputs)}"
    if ends.notes:
        yield ", ".join(ends.notes)
    if ends.quantized:
        yield f"quantized already: {ends.quantized}"


def _model(folder: Path, path: Path, ends: ModelEnds, name: str, dataset: str) -> str:
    source = _from(folder, path.expanduser().absolute())
    values = {"dataset": dataset, "source": source}
    told = {"input": "that which takes the sample"}
    chosen = _input(ends)
    if chosen:
        values["input"] = chosen
    if len(ends.outputs) > 1:
        told["source"] = "all outputs are measured; `output:` keeps some"
    return comment(_said_of(ends)) + entry(name, values, told)


def _recipes(ends: ModelEnds) -> Sequence[str]:
    return (AS_IT_IS,) if ends.quantized else (INT8, FLOAT)


def _of_both(folder: Path, path: Path, ends: ModelEnds, proposal: Proposal) -> Draft:
    name, task = _model_name(path, proposal.name), proposal.task
    return Draft(
        title=f"Brings {path.name} to devices.",
        model_name=name,
        dataset=comment(_PREPROCESS) + _dataset(folder, proposal),
        model=_model(folder, path, ends, name, proposal.name),
        recipes=_recipes(ends),
        gates=network.gates(task, proposal.parts["test"]),
    )


_PREPROCESS = (
    "The model must get the input that it was trained on. uint8 samples become 0 to 1 by default;",
    "other ranges: preprocess: {scale: 0.00784313725, offset: -1} for -1 to 1,",
    "or {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]} for ImageNet's.",
)


def _of_model(folder: Path, path: Path, ends: ModelEnds) -> Draft:
    values, told = _wanted(ends)
    missing = comment([f"Fill in: {_missing(ends)}", *_PREPROCESS])
    name = _model_name(path, "samples")
    return Draft(
        title=f"Brings {path.name} to devices.",
        model_name=name,
        dataset=missing + entry("samples", values, told),
        model=_model(folder, path, ends, name, "samples"),
        recipes=_recipes(ends),
        gates=network.gates("regression", 0),
    )


def _model_name(path: Path, dataset: str) -> str:
    name = config_name(path.stem if path.suffix else path.name)
    return f"{name}-model" if name == dataset else name


def _wanted(ends: ModelEnds) -> tuple[dict[str, Any], Mapping[str, str]]:
    """Return the section of a dataset that is still to be brought."""
    if ends.image is None:
        told = {"path": "np.savez(path, x=x, y=y)"}
        return {"source": "npz", "path": f"{FILL_IN}.npz"}, told
    height, width, channels = ends.image
    values = {
        "source": "image_folder",
        "path": FILL_IN,
        "size": [height or 96, width or 96],
        "channels": 1 if channels == 1 else 3,
        "calibration": 100,
    }
    told = {} if height and width else {"size": "the model takes any: choose"}
    return values, {
        "path": "a folder of images for each class",
        **told,
        "calibration": _TOLD["calibration"],
    }


def _missing(ends: ModelEnds) -> str:
    """Return what the user has to bring, in words."""
    classes = f"{ends.classes} classes" if ends.classes else "the classes"
    if ends.image is not None:
        return f"datasets.samples.path, a folder with a folder of images for each of {classes}"
    return f"datasets.samples.path, an .npz file with samples x and class numbers y of {classes}"
