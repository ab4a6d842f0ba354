"""Networks built once, as their training would, for the shapes that are known before."""

from collections.abc import Iterator, Mapping
from typing import Any

from edgeflow.artifact.hashing import sha256_json
from edgeflow.check.peek import peek
from edgeflow.check.sections import valid_datasets, valid_models
from edgeflow.config.dataset import Dataset
from edgeflow.config.finding import Finding
from edgeflow.config.model import Architecture
from edgeflow.config.networkcheck import check_networks
from edgeflow.config.samples import Affine
from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import DataError, TrainingError


def check_builds(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the models whose architecture cannot be built; equal ones are built once."""
    datasets, failures = valid_datasets(raw), dict[str, TrainingError | None]()
    told = {finding.keys[1] for finding in check_networks(raw)}
    for name, model in valid_models(raw).items():
        if name in told or model.architecture is None:
            continue
        facts = known_facts(datasets.get(model.dataset))
        key = sha256_json(
            [one and one.model_dump(mode="json") for one in (model.architecture, facts)]
        )
        if key not in failures:
            failures[key] = _failure(model.architecture, facts)
        error = failures[key]
        if error is not None:
            keys = ("models", name, "architecture")
            yield Finding(keys=keys, message=error.message, hint=error.hint)


def known_facts(section: Dataset | None) -> DatasetFacts | None:
    """Return a dataset's facts as they are known before it is built, or None if they are not."""
    try:
        seen = peek(section) if section else None
    except DataError:  # among the files' findings
        return None
    if section is None or seen is None:
        return None
    return DatasetFacts(
        labels=section.labels or [str(number) for number in range(seen.classes)],
        input_shape=list(seen.input_shape),
        preprocess=Affine(scale=1.0),
        task=section.task,
        counts={},
    )


def _failure(architecture: Architecture, facts: DatasetFacts | None) -> TrainingError | None:
    from edgeflow.train.keras import load_keras
    from edgeflow.train.network import build_network, import_builder

    try:
        if facts is None:
            import_builder(architecture)
        else:
            build_network(load_keras(seed=0), facts, architecture)
    except TrainingError as error:
        return error
    return None
