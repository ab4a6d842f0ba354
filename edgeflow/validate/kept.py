"""The last measurement of each device and model, kept for runs that change nothing below it.

Snakemake runs everything below a step that ran, also where its output came out the same. A
measurement is not worth repeating then. It is repeated where somebody asks for it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from edgeflow.artifact.atomic import write_json
from edgeflow.validate.schema import Validation

FOLDER = Path(".edgeflow/measured")


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a measurement is kept.

    Attributes:
        name: device and model.
        key: digest of all that the measurement depends on.
    """

    name: str
    key: str

    @property
    def path(self) -> Path:
        """The file, one for each device and model."""
        return FOLDER / f"{self.name}.json"

    def find(self, deployed: Path) -> Validation | None:
        """Return the last measurement if repeating it is of no use, else None.

        It is of no use where its key is the same, and deploy ran again since and found the
        device as it was: then the step above, not the user, is why this one runs.
        """
        try:
            record = json.loads(self.path.read_text())
            deploy = json.loads(deployed.read_text())
            came_from_above = deployed.stat().st_mtime_ns > self.path.stat().st_mtime_ns
            if record["key"] != self.key or deploy["changed"] or not came_from_above:
                return None
            return Validation.model_validate(record["validation"])
        except (OSError, ValueError, KeyError, ValidationError):
            return None  # nothing kept, or by another version: measure

    def keep(self, validation: Validation) -> None:
        """Keep a measurement; its file's time is when it was last taken for good."""
        record = {"key": self.key, "validation": validation.model_dump(mode="json")}
        write_json(self.path, record)
