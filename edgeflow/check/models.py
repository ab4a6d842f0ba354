"""Model files that a configuration names: opened, and held against their datasets."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgeflow.check.networks import known_facts
from edgeflow.check.sections import valid_datasets, valid_models
from edgeflow.config.finding import Finding
from edgeflow.config.modelfile import files_of, kind_of
from edgeflow.config.pointer import pointer


def check_models(raw: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the model files that an import would refuse, as far as they themselves tell."""
    datasets = valid_datasets(raw)
    for name, model in valid_models(raw).items():
        path = Path(model.source).expanduser() if model.source and not model.architecture else None
        if path is None or kind_of(path) is None or not path.exists():
            continue
        if any(pointer(file) for file in files_of(path)):
            continue  # told already
        from edgeflow.imported.inspection import refusal

        error = refusal(path, known_facts(datasets.get(model.dataset)), model.input, model.output)
        if error is not None:
            yield Finding(keys=("models", name, "source"), message=error.message, hint=error.hint)
