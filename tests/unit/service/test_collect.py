"""Samples on their way from a device to the next training."""

import csv
import hashlib
import io
import json
import tarfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from edgeflow.artifact.manifest import read_manifest
from edgeflow.bundle.manifest import BundleManifest, read_bundle
from edgeflow.config.load import load_file
from edgeflow.dataset.build import build_dataset, source_files
from edgeflow.dataset.labelled import LABELS
from edgeflow.deploy.collect import Collected, collect
from edgeflow.errors import ConfigError, DataError, DeployError
from edgeflow.ondevice import agent
from edgeflow.ondevice.agent import samples
from edgeflow.ondevice.kept import Keeper
from tests.unit.service.releases import make_bundle

BASE = {"source": "digits", "limit": 200, "calibration": 20}
ASKED = {"mark": True, "note": "=cmd()"}
SHA = "a" * 64


class Device:
    """A device's folder in this process, with the agent's own code in it."""

    endpoint = SimpleNamespace(title="device pi", name="pi")

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def send_run_file(self, model: str, path: Path) -> int:
        place = self.folder / model / "run" / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
        return 1

    def ask(self, kind: Any, verb: str, model: str, *arguments: str) -> Any:
        assert verb == "pack-samples"
        options = Namespace(model_dir=str(self.folder / model), uploader=arguments[1])
        return kind.model_validate_json(json.dumps(samples.pack_samples(options)))

    def fetch(self, remote: str, local: Path, max_bytes: int) -> None:
        assert Path(remote).stat().st_size <= max_bytes
        local.write_bytes(Path(remote).read_bytes())


@pytest.fixture
def manifest(tmp_path: Path) -> BundleManifest:
    return read_bundle(make_bundle(tmp_path / "made", 1))


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    monkeypatch.chdir(tmp_path)
    return Device(tmp_path / "device")


def keep(device: Device, *pixels: Any, label: str = "b of 1") -> list[str]:
    keeper = Keeper(str(device.folder / "net/kept"), None, 10**9)
    said = {"label": label, "probabilities": {label: 0.5}}
    return [keeper.consider({"input": one}, SHA, said, ASKED)["kept"] for one in pixels]


def picture(value: int) -> Any:
    return np.full((4, 4, 1), value, np.uint8)


def test_samples_come_once_with_a_picture_and_a_line_to_fill_in(
    device: Device, manifest: BundleManifest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    out = tmp_path / "collected/net"
    names = keep(device, *map(picture, range(5)))
    monkeypatch.setattr(samples, "PACKED_MAX_BYTES", 1200)  # two transfers and more
    assert sorted(collect(device, manifest, out).new) == sorted(names)  # type: ignore[arg-type]
    for value, name in enumerate(names):
        assert hashlib.sha256((out / f"{name}.npz").read_bytes()).hexdigest() == name
        assert np.asarray(Image.open(out / f"{name}.png")).max() == value
    rows = list(csv.DictReader((out / LABELS).read_text().splitlines()))
    assert [row["file"] for row in rows] == [f"{name}.npz" for name in sorted(names)]
    assert {(row["label"], row["said"], row["confidence"], row["note"]) for row in rows} == {
        ("", "b of 1", "0.500", "'=cmd()")
    }
    assert not list((device.folder / "net/run").glob("*.tar")), "the device is left tidy"

    # Sorted into a folder by a person, it is known still; the table keeps what was written.
    (out / "cat").mkdir()
    (out / f"{names[0]}.npz").rename(out / "cat" / f"{names[0]}.npz")
    (out / LABELS).write_text((out / LABELS).read_text().replace("npz,,", "npz,mine,"))
    (new,) = keep(device, picture(9))
    assert collect(device, manifest, out) == Collected(new=[new])  # type: ignore[arg-type]
    rows = list(csv.DictReader((out / LABELS).read_text().splitlines()))
    assert [row["label"] for row in rows] == ["mine"] * 5 + [""]


def test_new_lines_stand_in_the_columns_that_a_person_has_left(
    device: Device, manifest: BundleManifest, tmp_path: Path
) -> None:
    (name,) = keep(device, picture(1))
    table = tmp_path / "net" / LABELS
    table.parent.mkdir()
    table.write_bytes(f"\ufefflabel,by,file\r\ncat,me,{SHA}.npz".encode())
    collect(device, manifest, table.parent)  # type: ignore[arg-type]
    assert table.read_bytes().splitlines()[1:] == [
        f"cat,me,{SHA}.npz".encode(), f",,{name}.npz".encode()
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("file,label\n\xe4.npz,K\xe4se\n".encode("latin-1"), "cannot be read: 'utf-8' codec"),
        (b"file;label\nx.npz;cat\n", "has no columns `file` and `label`"),
        (b"", "has no columns `file` and `label`"),
    ],
)
def test_a_table_that_is_none_is_told_and_nothing_is_written(
    device: Device, manifest: BundleManifest, tmp_path: Path, content: bytes, message: str
) -> None:
    keep(device, picture(1))
    table = tmp_path / "net" / LABELS
    table.parent.mkdir()
    table.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        collect(device, manifest, table.parent)  # type: ignore[arg-type]
    assert "UTF-8, with commas" in caught.value.hint
    assert [path.name for path in table.parent.iterdir()] == [LABELS]
    assert table.read_bytes() == content


def packed(arrays: dict[str, Any], save: Callable[..., None] = np.savez) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return hashlib.sha256(buffer.getvalue()).hexdigest(), buffer.getvalue()


UNFIT = {
    "other bytes": (SHA, packed({"x.input": picture(1)})[1]),
    "other inputs": packed({"x.other": picture(1)}),
    "x.input": packed({"x.input": picture(1)[:3]}),
    "float64": packed({"x.input": picture(1) / 2}),
    "packed, or larger": packed({"x.input": picture(1)}, np.savez_compressed),
    "no .npz": (hashlib.sha256(b"PK").hexdigest(), b"PK"),
    "allow_pickle": packed({"x.input": np.array([{}], object)}),
}


def test_what_is_no_sample_is_refused(
    device: Device, manifest: BundleManifest, tmp_path: Path
) -> None:
    kept = device.folder / "net/kept"
    kept.mkdir(parents=True)
    for name, data in UNFIT.values():
        (kept / f"{name}.npz").write_bytes(data)
        (kept / f"{name}.json").write_text("{}")
    good, odd = packed({"x.input": picture(1)}), packed({"x.input": picture(2)})
    told = {"release": SHA, "reason": "marked", "label": None, "confidence": None, "note": ""}
    (kept / f"{good[0]}.npz").write_bytes(good[1])
    (kept / f"{good[0]}.json").write_text(json.dumps(told))
    (kept / f"{odd[0]}.npz").write_bytes(odd[1])
    (kept / f"{odd[0]}.json").write_text(json.dumps({**told, "confidence": 7}))
    done = collect(device, manifest, tmp_path / "out")  # type: ignore[arg-type]
    assert done.new == [good[0]]
    assert set(done.refused) == {odd[0], *(name for name, _ in UNFIT.values())}
    assert {path.stem for path in (tmp_path / "out").glob("*.npz")} == {good[0]}


@pytest.mark.parametrize("name", ["../../x.npz", f"/{SHA}.npz", f"{SHA}.py", f"{SHA[:-1]}é.npz"])
def test_a_tar_with_other_files_is_refused(
    device: Device, manifest: BundleManifest, tmp_path: Path, name: str
) -> None:
    keep(device, picture(1))

    def fetch(remote: str, local: Path, max_bytes: int) -> None:
        with tarfile.open(local, "w") as archive:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO(b""))

    device.fetch = fetch  # type: ignore[method-assign]
    with pytest.raises(DeployError, match="unexpected member"):
        collect(device, manifest, tmp_path / "out")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_the_agent_packs_no_links(device: Device, capsys: pytest.CaptureFixture[str]) -> None:
    kept = device.folder / "net/kept"
    kept.mkdir(parents=True)
    for suffix in ("npz", "json"):
        (kept / f"{SHA}.{suffix}").symlink_to("/etc/passwd")
    assert agent.main(["pack-samples", str(device.folder / "net"), "--uploader", "0" * 16]) == 0
    answer = json.loads(capsys.readouterr().out)
    with tarfile.open(answer["path"]) as archive:
        assert archive.getnames() == []


def digit(value: int) -> Any:
    return np.full((8, 8, 1), value, np.uint8)


@pytest.fixture
def collected(device: Device, tmp_path: Path) -> tuple[Path, list[str]]:
    """A folder with samples as a person finds them."""
    folder = tmp_path / "collected/digits"
    folder.mkdir(parents=True)
    names = []
    for value in range(8):
        name, data = packed({"x.input": digit(value)})
        (folder / f"{name}.npz").write_bytes(data)
        (folder / f"{name}.png").write_bytes(b"")
        names.append(name)
    rows = [f"{name}.npz," for name in names]
    (folder / LABELS).write_text("file,label\n" + "\n".join(rows) + "\n")
    return folder, names


def write_labels(folder: Path, labels: dict[str, str]) -> None:
    rows = "".join(f"{name}.npz,{label}\n" for name, label in labels.items())
    (folder / LABELS).write_text("file,label\n" + rows)


def built(section: dict[str, Any], out: Path) -> Any:
    return build_dataset("d", section, "0", out)


def test_labelled_samples_join_the_train_set_alone(
    collected: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, names = collected
    write_labels(folder, {names[0]: "3", names[1]: "5", names[2]: ""})
    (folder / "7").mkdir()
    (folder / f"{names[3]}.png").rename(folder / "7" / f"{names[3]}.png")  # by its picture
    section = {"source": "collected", "path": str(folder), "base": BASE}
    built(BASE, tmp_path / "base")
    facts = built(section, tmp_path / "more").facts
    base = read_manifest(tmp_path / "base/manifest.json").facts
    for part in ("test", "validation"):
        for axis in "xy":
            path = f"{part}_{axis}.npy"
            ours, theirs = (np.load(tmp_path / it / path) for it in ("more", "base"))
            np.testing.assert_array_equal(ours, theirs)
    grown = np.array(facts["counts"]["train"]) - base["counts"]["train"]
    assert {place: int(count) for place, count in enumerate(grown) if count} == {3: 1, 5: 1, 7: 1}
    assert facts["decoding"] == base["decoding"]
    assert sum(facts["counts"]["calibration"]) == 20, "as the base says"
    x, y = (np.load(tmp_path / f"more/train_{axis}.npy") for axis in "xy")
    (place,) = np.flatnonzero((x == digit(3)).all(axis=(1, 2, 3)))
    assert y[place] == 7


def test_it_is_the_same_wherever_it_lies_and_waits_for_labels(
    collected: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, names = collected
    write_labels(folder, {name: "ab"[place % 2] for place, name in enumerate(names)})
    section = {"source": "collected", "path": str(folder), "calibration": 2}
    first = built(section, tmp_path / "1")
    assert first.facts["labels"] == ["a", "b"]
    assert first.facts["decoding"]["source"] == "npz"
    (folder / f"{SHA}.npz").write_bytes(b"a sample without a label")
    other = folder.parent / "elsewhere"
    folder.rename(other)
    assert built({**section, "path": str(other)}, tmp_path / "2") == first
    write_labels(other, {name: "ab"[place < 4] for place, name in enumerate(names)})
    assert built({**section, "path": str(other)}, tmp_path / "3") != first


def test_what_is_wrong_with_labels_is_named(
    collected: tuple[Path, list[str]], tmp_path: Path
) -> None:
    folder, names = collected
    section = {"source": "collected", "path": str(folder), "base": BASE}
    with pytest.raises(DataError, match="no sample has a label"):
        built(section, tmp_path / "out")
    write_labels(folder, {names[0]: "three"})
    with pytest.raises(DataError, match="'three' is no label of the base"):
        built(section, tmp_path / "out")
    write_labels(folder, {names[0]: "3", SHA: "4"})
    with pytest.raises(DataError, match="lacks 1 samples that have a label: aaaaaaaaaaaa"):
        built(section, tmp_path / "out")
    write_labels(folder, {names[0]: "3"})
    (folder / "4").mkdir()
    (folder / f"{names[0]}.png").rename(folder / "4" / f"{names[0]}.png")
    with pytest.raises(DataError, match="two labels: '3' and, by folder 4, '4'"):
        built(section, tmp_path / "out")
    (folder / LABELS).write_text("name,label\n")
    with pytest.raises(DataError, match="no columns `file` and `label`"):
        built(section, tmp_path / "out")
    assert source_files(section) == []
    other = {"source": "npz", "path": "x.npz", "task": "regression"}
    for wrong, why in (({"base": other}, "labels"), ({"labels": ["a"]}, "say them there")):
        config = {
            "datasets": {"d": {**section, **wrong}},
            "models": {"m": {"dataset": "d", "architecture": {"name": "ds_cnn"}}},
            "recipes": {"fp32": {}},
            "targets": {"pi": {"kind": "litert"}},
            "deployments": [{"model": "m", "recipe": "fp32", "targets": ["pi"]}],
        }
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        with pytest.raises(ConfigError, match=why):
            load_file(tmp_path / "config.yaml")
