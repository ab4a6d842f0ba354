"""The survey of a dataset, whatever its source."""

from collections.abc import Sequence

from edgeflow.config.dataset import Dataset, ImageFolderDataset, WavFolderDataset
from edgeflow.console import progress
from edgeflow.dataset.build import source_files
from edgeflow.project.survey.arrays import survey_arrays
from edgeflow.project.survey.base import Survey
from edgeflow.project.survey.classfolders import survey_folders
from edgeflow.project.survey.finding import Finding

STEPS = 20
"""How often a survey of many files tells how far it is."""
MANY = 1000


def survey(name: str, section: Dataset, known: Sequence[Finding] = ()) -> Survey:
    """Return what there is to say of a dataset, all of whose samples are read.

    Args:
        name: of the dataset.
        section: of the configuration.
        known: what is to be said anyway.
    """
    found = _survey(name, section)
    found.findings += known
    found.sort()
    return found


def _survey(name: str, section: Dataset) -> Survey:
    if not isinstance(section, ImageFolderDataset | WavFolderDataset):
        return survey_arrays(name, section, lambda: None)
    total = len(source_files(section.model_dump(mode="json")))
    if total < MANY:
        return survey_folders(name, section, lambda: None)
    done, every = 0, -(-total // STEPS)
    with progress(f"looking at {name}", total // every) as advance:

        def step() -> None:
            nonlocal done
            done += 1
            if not done % every:
                advance(f"{done:,} of {total:,} files")

        return survey_folders(name, section, step)
