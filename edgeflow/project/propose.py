"""The dataset section for a user's data, found by a look at it: names, sizes, headers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edgeflow.check.peek import peek
from edgeflow.config.base import LocalPath
from edgeflow.config.dataset import Dataset
from edgeflow.config.samples import Part
from edgeflow.dataset.build import rehearse
from edgeflow.errors import DataError
from edgeflow.project.npzlook import arrays_section
from edgeflow.project.place import Place, find, whole
from edgeflow.project.survey.balance import balance
from edgeflow.project.survey.finding import Finding
from edgeflow.project.survey.images import STRETCH, Images
from edgeflow.project.survey.sounds import Sounds
from edgeflow.tasks.registry import DEFAULT
from edgeflow.text import reason

SIDES = (96, 64, 48, 32, 24, 16)
"""Sides of a network's input that are tried, the largest first: larger ones cost a board much."""
CALIBRATION = 200
FASTEST = 16_000
"""Rate in samples per second beyond which nothing is gained for speech and machines."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """A dataset section, and what it rests on.

    Attributes:
        name: for the dataset.
        values: the section, with an absolute path.
        parts: number of samples in each part of the built dataset.
        counts: number of samples of each class, by the given part; empty where there are none.
        facts: what to show of the data.
        findings: what to say of it.
    """

    name: str
    values: Mapping[str, Any]
    parts: Mapping[Part, int]
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    findings: Sequence[Finding] = ()

    @property
    def task(self) -> str:
        """The task of the dataset."""
        return str(self.values.get("task", DEFAULT))

    @property
    def section(self) -> Dataset:
        """The section as a build reads it."""
        return parsed(self.values)


def parsed(values: Mapping[str, Any]) -> Dataset:
    """Return a dataset section.

    Raises:
        DataError: the data is of a kind that none can say, such as sound of 100 samples per second.
    """
    try:
        section: Dataset = TypeAdapter(Dataset).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"][1:])
        why = reason(first["msg"])
        message = f"{values.get('path')} needs `{key}: {first['input']}`: {why}"
        raise DataError(message, hint="convert the data, or write config.yaml by hand") from error
    return section


def propose(
    path: Path, size: tuple[int, int] | None = None, channels: int | None = None
) -> Proposal:
    """Return the section for data at a place.

    Args:
        path: a folder, or an .npz file.
        size: height and width that the network takes, where that is known.
        channels: of images that the network takes, where that is known.

    Raises:
        DataError: no dataset can be made of it.
    """
    place = find(whole(path))
    require_plain(place.path)
    values, facts, findings = _LOOKS[place.kind](place, size, channels)
    _require_usable(place, findings)
    return _with_calibration(place, values, facts, findings)


def _require_usable(place: Place, findings: Sequence[Finding]) -> None:
    """Refuse data of which a build would fail: with numbers that count what it cannot read."""
    wrong = [finding.told() for finding in findings if finding.level == "error"]
    if wrong:
        hint = next(finding.hint for finding in findings if finding.level == "error")
        raise DataError(f"{place.path}: {'; '.join(wrong)}", hint=hint)


def section_of(path: Path) -> tuple[Dataset, list[Finding]]:
    """Return the section for data at a place, whether or not a dataset can be made of it.

    Beside it what is to be said of how the data is read, as no configuration says so.

    Raises:
        DataError: nothing lies there that edgeflow has a source for.
    """
    place = find(whole(path))
    require_plain(place.path)
    values, _, findings = _LOOKS[place.kind](place, None, None)
    seen = peek(parsed(values))
    section = parsed({**values, "calibration": seen.labels if seen else 1})
    return section, findings if place.kind == "arrays" else []  # of files all are looked at again


def require_plain(path: Path) -> None:
    """Refuse a path that a configuration cannot hold.

    Raises:
        DataError: it is one.
    """
    try:
        TypeAdapter(LocalPath).validate_python(str(path))
        str(path).encode()
    except ValueError as error:
        hint = "rename it: letters and digits are safe"
        raise DataError(f"{str(path)!r} cannot stand in a configuration", hint=hint) from error


Draft = tuple[dict[str, Any], Mapping[str, str], list[Finding]]


def _with_calibration(
    place: Place, values: dict[str, Any], facts: Mapping[str, str], findings: list[Finding]
) -> Proposal:
    counts = place.counts()
    seen = peek(parsed(values))
    least = seen.labels if seen and values.get("task") != "regression" else 1
    parts = rehearse(parsed({**values, "calibration": least}))
    values["calibration"] = min(CALIBRATION, parts["train"])
    findings += balance(counts.get("train", {}))
    return Proposal(
        name=config_name(place.path.stem if place.kind == "arrays" else place.path.name),
        values=values,
        parts=parts,
        counts={str(part): classes for part, classes in counts.items()},
        facts=facts,
        findings=findings,
    )


def config_name(text: str) -> str:
    """Return a name that a configuration takes."""
    plain = re.sub(r"[^a-z0-9_]+", "-", text.casefold()).strip("-_")[:40].rstrip("-_")
    return plain or "data"


def _images(place: Place, size: tuple[int, int] | None, channels: int | None) -> Draft:
    images = Images()
    for name, file in place.files().items():
        images.add(name, file)
    _require_some(images, place)
    size = size or input_size(images)
    values: dict[str, Any] = {"source": "image_folder", "path": str(place.path), "size": list(size)}
    values["channels"] = channels or (1 if images.grey else 3)
    return values, images.facts(), list(images.findings(size))


def _require_some(images: Images, place: Place) -> None:
    """Refuse data without images, for the reason that a build would."""
    if not images.sizes:
        rehearse(parsed({"source": "image_folder", "path": str(place.path), "size": [32, 32]}))
        raise DataError(
            f"{place.path}: no file can be read as an image",
            hint="put images into a folder for each class",
        )


def input_size(images: Images) -> tuple[int, int]:
    """Return height and width for a network's input: of the images' ratio, and rarely larger."""
    width, height = images.sides()
    if len(images.sizes) == 1 and max(width, height) <= SIDES[0]:
        return height, width
    usual = images.short_side()
    short = next((side for side in SIDES if side <= usual), usual or 32)
    ratio = max(width, height, 1) / max(min(width, height), 1)
    if ratio <= STRETCH:
        return short, short
    short = min(short, 64)
    long = min(8 * round(short * ratio / 8), 2 * SIDES[0])
    return (short, long) if width > height else (long, short)


def _sounds(place: Place, size: tuple[int, int] | None, channels: int | None) -> Draft:  # noqa: ARG001
    sounds = Sounds()
    for name, file in place.files().items():
        sounds.add(name, file)
    if not sounds.rates:
        raise DataError(f"{place.path}: no file can be read as WAV", hint="convert them to WAV")
    rate = min(sounds.rate, FASTEST)
    values: dict[str, Any] = {
        "source": "wav_folder",
        "path": str(place.path),
        "seconds": min(sounds.seconds(), 10.0),
        **({"resample": True} if set(sounds.rates) != {rate} else {}),
        "features": {"kind": "log_mel", "rate": rate, "mels": 40, "upper_hz": min(rate / 2, 8000)},
    }
    return values, sounds.facts(), list(sounds.findings(rate))


def _arrays(place: Place, size: tuple[int, int] | None, channels: int | None) -> Draft:  # noqa: ARG001
    return arrays_section(place.path)


_LOOKS = {"image_folder": _images, "wav_folder": _sounds, "arrays": _arrays}


def told_counts(proposal: Proposal) -> Iterator[str]:
    """Yield what to write of the data: its classes with their samples, then its facts."""
    for part, classes in proposal.counts.items():
        shown = [f"{label} {count:,}" for label, count in list(classes.items())[:12]]
        more = [f"and {len(classes) - 12} more"] if len(classes) > 12 else []
        given = f"{part}: " if len(proposal.counts) > 1 else ""
        yield f"{given}{len(classes)} classes: {', '.join([*shown, *more])}"
    yield from (f"{name}: {value}" for name, value in proposal.facts.items())
