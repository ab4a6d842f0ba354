"""Surveys class folders of images or sounds, file by file: no more than one is in memory."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgeflow.config.dataset import ImageFolderDataset, WavFolderDataset
from edgeflow.config.pointer import pointer
from edgeflow.dataset.build import rehearse
from edgeflow.dataset.classes import Reader
from edgeflow.dataset.folders import Layout, layout
from edgeflow.dataset.sound import Recordings
from edgeflow.dataset.sources import image_folder, wav_folder
from edgeflow.dataset.tree import Tree, named
from edgeflow.errors import DataError
from edgeflow.project.survey.balance import balance
from edgeflow.project.survey.base import Advance, Survey
from edgeflow.project.survey.copies import Copies, signature
from edgeflow.project.survey.finding import Finding, Level, about, counted
from edgeflow.project.survey.images import Images
from edgeflow.project.survey.pictures import CLASSES, picture, spread
from edgeflow.project.survey.sounds import Sounds
from edgeflow.tasks.registry import DEFAULT

Section = ImageFolderDataset | WavFolderDataset
REMOVE = "replace them, or move them out of the class folders"


def survey_folders(name: str, section: Section, advance: Advance) -> Survey:
    """Return what there is to say of a dataset of class folders."""
    return _FolderSurvey(name, section).run(advance)


class _FolderSurvey:
    """Reads each file as the dataset step would, once."""

    def __init__(self, name: str, section: Section) -> None:
        self.section = section
        self.root = Path(section.path).expanduser()
        self.layout = layout(section.path)
        self.headers: Images | Sounds
        if isinstance(section, ImageFolderDataset):
            self.headers, self.recordings = Images(), None
            self.reader: Reader = image_folder.reader(section)
        else:
            self.headers, self.recordings = Sounds(), Recordings(section=section)
            self.reader = wav_folder.reader(self.recordings)
        self.copies = Copies(drawn=not self.layout.given)
        self.bad: dict[str, str] = {}
        self.survey = Survey(name=name, source=section.source, path=str(self.root))

    def run(self, advance: Advance) -> Survey:
        for part, classes in self.layout.parts.items():
            counts = {label: len(tree.files) for label, tree in classes.items()}
            self.survey.counts[str(part)] = counts
            for label, tree in classes.items():
                self._read_class(str(part), label, tree, advance)
        self.survey.facts = self.headers.facts()
        self.survey.findings = [*self._of_layout(), *self._of_files(), *self._of_split()]
        self.survey.sort()
        self._show()
        return self.survey

    def _read_class(self, part: str, label: str, tree: Tree, advance: Advance) -> None:
        shown = self.survey.pictures.setdefault(label, [])
        full = len(self.survey.pictures) > CLASSES or bool(shown)
        chosen = frozenset() if full else spread(len(tree.files))
        for number, (name, file) in enumerate(
            zip(named(self.root, tree.files), tree.files, strict=True)
        ):
            sample = self._read(name, file)
            advance()
            if sample is None:
                continue
            small = signature(sample) if sample.dtype == "uint8" else None
            self.copies.add(name, part, label, _digest(file), small)
            made = picture(name, self._upright(sample)) if number in chosen else None
            shown += [made] if made else []

    def _read(self, name: str, file: Path) -> Any:
        """Return the sample of a file, or None where a build would refuse it."""
        what = pointer(file)
        if what:
            self.bad[name] = f"only {what}"
            return None
        self.headers.add(name, file)
        try:
            return self.reader.read(file)
        except DataError as error:
            self.bad[name] = error.message.replace(f"{file} ", "")
            return None

    def _upright(self, sample: Any) -> Any:
        """Return an image, or a sound's features with time to the right and low pitch below."""
        return sample if self.recordings is None else sample.swapaxes(0, 1)[::-1]

    def _of_layout(self) -> Iterator[Finding]:
        for problem in self.layout.problems:
            yield Finding(level="error", message=problem)
        unusable = [
            f"{name} {why}"
            for tree in self.layout.trees()
            for name, why in zip(
                named(self.root, list(tree.unusable)), tree.unusable.values(), strict=True
            )
        ]
        if unusable:
            yield about(
                "error",
                f"{counted(len(unusable), 'entry', 'entries')} cannot be read",
                unusable,
                REMOVE,
            )
        yield from _beside(self.layout, self.reader)
        yield from self._nested()

    def _nested(self) -> Iterator[Finding]:
        folders = {
            str(Path(name).parent)
            for part, classes in self.layout.parts.items()
            for label, tree in classes.items()
            for name in named(self.root, tree.files)
            if len(Path(name).parts) > (3 if self.layout.given else 2)
        }
        if folders:
            what = f"{counted(len(folders), 'folder')} within class folders"
            yield about("note", what, sorted(folders), "all files in them belong to the class")

    def _of_files(self) -> Iterator[Finding]:
        if self.bad:
            what = f"{counted(len(self.bad), 'file')} cannot be used as {self.reader.what}"
            yield about("error", what, [f"{n}: {why}" for n, why in self.bad.items()], REMOVE)
        self.headers.bad.clear()  # among these
        if isinstance(self.headers, Images) and isinstance(self.section, ImageFolderDataset):
            yield from self.headers.findings(self.section.size)
        elif isinstance(self.headers, Sounds) and isinstance(self.section, WavFolderDataset):
            yield from self.headers.findings(self.section.features.rate)
        yield from self._of_sounds()
        yield from self.copies.findings()
        if self.section.task == DEFAULT:  # of anomalies there are few
            yield from balance(self.survey.counts.get("train", {}))

    def _of_sounds(self) -> Iterator[Finding]:
        told = self.recordings.told if self.recordings else {}
        total = self.recordings.files if self.recordings else 0
        for what, files in told.items():
            level: Level = "warning" if what.startswith(("silent", "clipped")) else "note"
            names = named(self.root, files)
            yield about(level, f"{len(files):,} of {total:,} files are {what}", names, "", names)

    def _of_split(self) -> Iterator[Finding]:
        if any(finding.level == "error" for finding in self._of_layout()):
            return
        try:
            rehearse(self.section)
        except DataError as error:
            yield Finding(level="error", message=error.message, hint=error.hint)

    def _show(self) -> None:
        """Make pictures of what findings speak of; few files, so they are read again."""
        for finding in self.survey.findings:
            samples = ((name, self._again(name)) for name in finding.pictures)
            made = (picture(n, self._upright(x)) for n, x in samples if x is not None)
            self.survey.shown[finding.message] = [each for each in made if each]

    def _again(self, name: str) -> Any:
        try:
            return self.reader.read(self.root / name)
        except DataError:
            return None


def _beside(found: Layout, reader: Reader) -> Iterator[Finding]:
    lost = [file.name for file in found.beside if file.suffix.lower() in reader.suffixes]
    others = [file.name for file in found.beside if file.name not in lost]
    if lost:
        what = f"{len(lost):,} {reader.what} lie beside the class folders, so they have no class"
        yield about("error", what, lost, "move each into the folder of its class")
    if others:
        yield about(
            "note", f"{counted(len(others), 'file')} beside the class folders, not read", others
        )


def _digest(file: Path) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()
