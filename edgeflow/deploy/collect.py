"""Samples that devices kept, brought into a folder where a person labels them."""

import csv
import io
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from edgeflow.artifact.atomic import write_bytes, write_text
from edgeflow.bundle.manifest import BundleManifest
from edgeflow.dataset.labelled import LABELS, read_table
from edgeflow.deploy.agent import uploader
from edgeflow.deploy.release import OpenDevice
from edgeflow.deploy.sample import KeptFacts, UnfitError, arrays_of, largest_bytes
from edgeflow.errors import DeployError
from edgeflow.ondevice.agent.answer import Refused
from edgeflow.ondevice.agent.ustar import members
from edgeflow.remote.answer import Answer, Count, malformed, parse
from edgeflow.text import excerpt

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = ("file", "label", "said", "confidence", "reason", "note", "device")
TAR_MAX_BYTES = 300 << 20
"""More than the agent packs at a time, and one sample beyond that."""
FACTS_MAX_BYTES = 64 << 10
PREVIEW_PIXELS = 96
"""Smallest side of the picture that a person sees of a sample."""
_table = threading.Lock()


class Packed(Answer):
    """What the agent packed: the path of a tar, so many samples in it, and those that are left."""

    path: Annotated[str, Field(max_length=4096, pattern=r"^/[^\x00]*$")]
    samples: Count
    left: Count


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sample:
    name: str
    data: bytes
    told: KeptFacts
    picture: bytes | None


@dataclass(kw_only=True, slots=True)
class Collected:
    """What came from a device: the names of new samples, and why others were refused."""

    new: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def collect(device: OpenDevice, manifest: BundleManifest, out: Path) -> Collected:
    """Fetch what the service kept and `out` does not have; nothing is removed on the device.

    Args:
        device: the open device.
        manifest: of the bundle whose inputs samples must fit.
        out: folder of the model's samples: `<sha256>.npz`, `.json`, a picture where a sample is
            one, and a line in labels.csv each.

    Raises:
        DeployError: the device gives something else than samples.
        DataError: the table of labels cannot be read; nothing is written then.
    """
    found, seen = Collected(), known(out)
    while True:
        with tempfile.TemporaryDirectory() as scratch:
            place = Path(scratch)
            packed = _pack(device, manifest.model, seen, place)
            if not packed.samples:
                return found
            device.fetch(packed.path, place / "kept.tar", TAR_MAX_BYTES)
            before, fit = len(seen), []
            for name, data, facts in _members(device, place / "kept.tar", manifest):
                seen.add(name)
                try:
                    fit.append(_fit(device, manifest, name, data, facts))
                except (UnfitError, DeployError) as error:
                    found.refused[name] = excerpt(str(error))
        _write(out, fit, device.endpoint.name)
        found.new += [sample.name for sample in fit]
        if len(seen) == before:
            raise malformed(device.endpoint.title, "the agent", "a tar without new samples")


def known(out: Path) -> set[str]:
    """Return the names of the samples in a folder, also of those sorted into folders there."""
    return {path.stem for path in out.glob("**/*.npz")}


def _pack(device: OpenDevice, model: str, seen: set[str], scratch: Path) -> Packed:
    own = uploader()
    listed = scratch / f"collected.{own}"
    listed.write_text("\n".join(sorted(seen)) + "\n")
    device.send_run_file(model, listed)
    return device.ask(Packed, "pack-samples", model, "--uploader", own)


def _members(
    device: OpenDevice, path: Path, manifest: BundleManifest
) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield name, .npz and .json of each sample in a tar; nothing is unpacked to the disk."""
    limits = {".json": FACTS_MAX_BYTES, ".npz": largest_bytes(manifest.io.inputs)}
    facts: dict[str, bytes] = {}
    try:
        with path.open("rb") as tar:
            for member in members(tar):
                stem, suffix = member.name[:64], member.name[64:]
                if suffix not in limits or not _is_name(stem):
                    raise Refused("corrupt", f"unexpected member: {member.name!r}")
                # What is too large is none: its name is not the digest of nothing.
                data = b"".join(member.blocks) if member.size <= limits[suffix] else b""
                if suffix == ".json":
                    facts[stem] = data
                else:
                    yield stem, data, facts.pop(stem, b"")
    except (Refused, ValueError, OSError) as error:
        raise malformed(device.endpoint.title, "the agent", str(error)) from error


def _is_name(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _fit(
    device: OpenDevice, manifest: BundleManifest, name: str, data: bytes, facts: bytes
) -> _Sample:
    """Return a sample that is what its name and the manifest say.

    Raises:
        UnfitError: it is not.
        DeployError: what is said of it is nothing that the service says.
    """
    arrays = arrays_of(name, data, manifest.io.inputs)
    told = parse(KeptFacts, facts, device=device.endpoint.title, program="the service")
    return _Sample(name=name, data=data, told=told, picture=_picture(arrays, manifest))


def _write(out: Path, samples: list[_Sample], device: str) -> None:
    """Write samples into the folder; the .npz files last: what has one has all.

    Raises:
        DataError: the table of labels is no longer one.
    """
    if not samples:
        return
    out.mkdir(parents=True, exist_ok=True)
    with _table:
        _add_lines(out / LABELS, samples, device)
    for sample in samples:
        write_text(out / f"{sample.name}.json", sample.told.model_dump_json() + "\n")
        if sample.picture is not None:
            write_bytes(out / f"{sample.name}.png", sample.picture)
    for sample in samples:
        write_bytes(out / f"{sample.name}.npz", sample.data)


def _add_lines(table: Path, samples: list[_Sample], device: str) -> None:
    """Add samples to the table that a person fills in; what is in it stays as it is."""
    if not table.exists():
        write_text(table, ",".join(COLUMNS) + "\n")
    found, text = read_table(table), table.read_text(encoding="utf-8")
    listed = {row["file"] for _, row in found.rows}
    lines = io.StringIO()
    rows = csv.writer(lines, lineterminator="\n")
    for row in (_line(sample, device) for sample in samples):
        if row["file"] not in listed:  # in the columns that a person has left
            rows.writerow(_inert(row.get(column, "")) for column in found.columns)
    separator = "" if text.endswith("\n") else "\n"
    write_text(table, text + separator + lines.getvalue())


def _line(sample: _Sample, device: str) -> dict[str, str]:
    told = sample.told
    sure = "" if told.confidence is None else f"{told.confidence:.3f}"
    cells = (f"{sample.name}.npz", "", told.label or "", sure, told.reason, told.note, device)
    return dict(zip(COLUMNS, cells, strict=True))


def _inert(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: notes come from devices."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell


def _picture(arrays: "dict[str, NDArray[Any]]", manifest: BundleManifest) -> bytes | None:
    """Return a picture of a sample, PNG; None where it is none."""
    from PIL import Image

    from edgeflow.ondevice.release import LEVELS

    sample = next(iter(arrays.values()))
    if sample.dtype != "uint8" or sample.ndim != 3 or sample.shape[-1] not in (1, 3):
        return None
    levels = LEVELS.get(str(manifest.decoding.get("source")), 255)
    pixels = (sample.astype(float) * (255 / levels)).clip(0, 255).round().astype("uint8")
    image = Image.fromarray(pixels[..., 0] if sample.shape[-1] == 1 else pixels)
    factor = -(-PREVIEW_PIXELS // min(image.size))
    size = (image.width * factor, image.height * factor)
    buffer = io.BytesIO()
    image.resize(size, Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()
