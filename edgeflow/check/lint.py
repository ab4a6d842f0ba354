"""What targets say of networks that are there before anything is built: imported .tflite files."""

from collections.abc import Iterator
from pathlib import Path

from edgeflow.config.modelfile import kind_of
from edgeflow.config.target import target_kind
from edgeflow.plan import Plan
from edgeflow.targets import registry
from edgeflow.targets.lint import lint


def lints(plan: Plan) -> Iterator[str]:
    """Yield a line for each finding of a target in the .tflite of a model that it is to run.

    Files of other kinds, and networks that are trained here, are seen by their targets once they
    have become a .tflite: to convert them takes longer than all else that is checked.
    """
    pairs = dict.fromkeys((unit.model, unit.target) for unit in plan.units)
    for model, target in pairs:
        source = plan.config.models[model].source
        path = Path(source).expanduser() if source else None
        if path is None or kind_of(path) != "tflite":
            continue
        options = plan.config.targets[target]
        for finding in lint(registry.get(target_kind(options)), path, options):
            yield f"model {model} for target {target}: {finding}"
