"""The draft of a project for data and models that a user brings."""

from collections.abc import Iterator
from pathlib import Path

from edgeflow.check.networks import known_facts
from edgeflow.check.peek import peek
from edgeflow.errors import CompileError, DataError
from edgeflow.project import network
from edgeflow.project.draft import Draft
from edgeflow.project.modelends import ModelEnds, model_ends
from edgeflow.project.ownmodel import (
    missing,
    model_entry,
    model_name,
    path_from,
    recipes,
    said_of,
    sample_input,
    wanted,
)
from edgeflow.project.place import whole
from edgeflow.project.propose import Proposal, config_name, propose, require_plain, told_counts
from edgeflow.project.yamltext import CALIBRATION, comment, entry

_TOLD = {
    "size": "height and width that images are resized to: half the side, a quarter of the time",
    "channels": "1 grey, 3 colour",
    "seconds": "what is longer is cut, what is shorter filled up with silence",
    "features": "computed alike here and on the device",
    "preprocess": "each channel to mean 0 and deviation 1, on the device too",
    "calibration": CALIBRATION,
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
    if data is not None:
        _require_beside(folder, data)
    if model is None:
        if data is None:
            raise ValueError("neither data nor a model")
        proposal = propose(data)
        return _of_data(folder, proposal), list(_said(proposal))
    ends = model_ends(model.expanduser())
    require_plain(whole(model))
    if data is None:
        return _of_model(folder, model, ends), [*said_of(ends), missing(ends)]
    proposal = _proposal(data, ends)
    _require_fit(model, ends, proposal)
    return _of_both(folder, model, ends, proposal), [*said_of(ends), *_said(proposal)]


def _require_beside(folder: Path, data: Path) -> None:
    """Refuse a project within its data: what it builds would become classes."""
    root, project = data.expanduser().resolve(), folder.expanduser().resolve()
    if root.is_dir() and project.is_relative_to(root):
        raise DataError(
            f"the project {folder} would lie within its data, {data}",
            hint="name another folder for the project, or move the data into one of its own",
        )


def _proposal(data: Path, ends: ModelEnds) -> Proposal:
    height, width, channels = ends.image or (None, None, None)
    size = (height, width) if height and width else None
    return propose(data, size, channels if channels in (1, 3) else None)


def _require_fit(model: Path, ends: ModelEnds, proposal: Proposal) -> None:
    from edgeflow.imported.inspection import refusal

    facts = known_facts({"datasets": {proposal.name: proposal.values}}, proposal.name)
    error = refusal(model.expanduser(), facts, sample_input(ends), None)
    if error is None and facts and ends.classes not in (None, len(facts.labels)):
        labels = f"{ends.classes} values, its dataset has {len(facts.labels)} labels"
        error = CompileError(f"it gives {labels}", hint="bring data of the same classes")
    if error:
        raise type(error)(f"{model} does not fit the data: {error.message}", hint=error.hint)


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
    values = {**proposal.values, "path": path_from(folder, Path(proposal.values["path"]))}
    told = [*told_counts(proposal), *(finding.line() for finding in proposal.findings)]
    return comment(told) + entry(proposal.name, values, _TOLD)


def _said(proposal: Proposal) -> Iterator[str]:
    yield from told_counts(proposal)
    yield from (finding.line() for finding in proposal.findings)


def _of_both(folder: Path, path: Path, ends: ModelEnds, proposal: Proposal) -> Draft:
    name, task = model_name(path, proposal.name), proposal.task
    return Draft(
        title=f"Brings {path.name} to devices.",
        model_name=name,
        dataset=comment(_PREPROCESS) + _dataset(folder, proposal),
        model=model_entry(folder, path, ends, name, proposal.name),
        recipes=recipes(ends),
        gates=network.gates(task, proposal.parts["test"]),
    )


_PREPROCESS = (
    "The model must get the input that it was trained on. uint8 samples become 0 to 1 by default;",
    "other ranges: preprocess: {scale: 0.00784313725, offset: -1} for -1 to 1,",
    "or {mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]} for ImageNet's.",
)


def _of_model(folder: Path, path: Path, ends: ModelEnds) -> Draft:
    values, told = wanted(ends)
    lacking = comment([f"Fill in: {missing(ends)}", *_PREPROCESS])
    name = model_name(path, "samples")
    return Draft(
        title=f"Brings {path.name} to devices.",
        model_name=name,
        dataset=lacking + entry("samples", values, told),
        model=model_entry(folder, path, ends, name, "samples"),
        recipes=recipes(ends),
        gates=network.gates("regression", 0),
    )
