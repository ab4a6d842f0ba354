"""The trained stages of a recipe, each a step of its own that the store remembers.

Recipes that begin with the same stages so train them once.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path

from edgeflow.artifact.fingerprint import fingerprint
from edgeflow.artifact.step import StepSpec, run_step
from edgeflow.compress.network import Network, load_model
from edgeflow.compress.slice import CompressSlice
from edgeflow.config.recipe import STAGES, Recipe, Tuning
from edgeflow.config.samples import Part
from edgeflow.dataset.view import DatasetView, part_files
from edgeflow.train.build import MODEL_FILE

TOOLS = ("tensorflow", "tf-keras", "numpy", "tensorflow-model-optimization")
PARTS: tuple[Part, ...] = ("train", "validation")


def tuned(
    title: str,
    dataset: DatasetView,
    folder: Path,
    teachers: Mapping[str, Path],
    slice_: CompressSlice,
    scratch: Path,
) -> Path:
    """Run the stages before quantization; return the folder with the model after the last one.

    Args:
        title: model and recipe, for messages.
        dataset: with its train and validation part.
        folder: of the trained model.
        teachers: folders of trained models, by name.
        slice_: the recipe and its training settings.
        scratch: where the stages leave their models.
    """
    for name in STAGES:
        prefix = _up_to(slice_.recipe, name)
        stage = prefix.stages().get(name)
        if stage is not None:
            so_far = slice_.model_copy(update={"recipe": prefix})
            folder = _run(title, dataset, folder, teachers, so_far, stage, scratch / name)
    return folder


def _up_to(recipe: Recipe, name: str) -> Recipe:
    """Return the recipe cut off after a stage: what comes later does not shape it."""
    kept = STAGES[: STAGES.index(name) + 1]
    return Recipe.model_validate({key: getattr(recipe, key) for key in kept})


def _run(
    title: str,
    dataset: DatasetView,
    folder: Path,
    teachers: Mapping[str, Path],
    slice_: CompressSlice,
    stage: Tuning,
    out: Path,
) -> Path:
    name = out.name
    learns = slice_.recipe.distill is not None
    spec = StepSpec(
        step="stage",
        name=f"{title} {name}",
        inputs={
            "dataset": part_files(dataset.folder, PARTS),
            "model": folder / MODEL_FILE,
            **{f"teacher {key}": path / MODEL_FILE for key, path in teachers.items() if learns},
        },
        slice=slice_.model_dump(mode="json"),
        code=fingerprint(__name__, f"edgeflow.compress.{name}"),
        tools=TOOLS,
    )

    def build(target: Path) -> dict[str, object]:
        from edgeflow.train.keras import save_model

        network = open_network(f"{title} {name}", dataset, folder, teachers, slice_)
        technique = importlib.import_module(f"edgeflow.compress.{name}")
        save_model(technique.apply(network, stage, slice_.recipe).model, target / MODEL_FILE)
        return {}

    run_step(spec, out, build)
    return out


def open_network(
    title: str,
    dataset: DatasetView,
    folder: Path,
    teachers: Mapping[str, Path],
    slice_: CompressSlice,
) -> Network:
    """Load the model of a folder, with all that its training needs, the teacher included."""
    keras, model = load_model(folder, slice_.train)
    distill = slice_.recipe.distill
    teacher = load_model(teachers[distill.teacher], slice_.train)[1] if distill else None
    return Network(
        keras=keras,
        model=model,
        dataset=dataset,
        train=slice_.train,
        teacher=teacher,
        title=title,
    )
