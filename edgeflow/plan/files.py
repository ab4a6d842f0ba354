"""Files that several steps read, as paths relative to the folder of results."""

from collections.abc import Callable

from edgeflow import paths
from edgeflow.config.modelfile import imported_name
from edgeflow.config.samples import Part
from edgeflow.plan import Plan
from edgeflow.plan.steps.import_model import source_of


def manifest_of_dataset(plan: Plan, model: str) -> str:
    """Return the manifest of the dataset that a model is trained on."""
    return f"{paths.DATASET}/manifest.json".format(dataset=plan.config.models[model].dataset)


def arrays_of_dataset(*parts: Part) -> Callable[[Plan, str], list[str]]:
    """Return a function of a model: the arrays of its dataset's parts."""

    def arrays(plan: Plan, model: str) -> list[str]:
        folder = paths.DATASET.format(dataset=plan.config.models[model].dataset)
        return [f"{folder}/{part}_{axis}.npy" for part in parts for axis in "xy"]

    return arrays


def network_of_model(plan: Plan, model: str) -> str:
    """Return the file of a trained or imported model."""
    trained = plan.config.models[model].source is None
    name = "model.h5" if trained else imported_name(source_of(plan, model))
    return f"{paths.BASELINE}/{name}".format(model=model)
