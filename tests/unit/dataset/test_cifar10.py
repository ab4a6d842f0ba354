"""CIFAR-10 from the original archive: byte strings of Python 2, planes, safe unpickling."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgeflow.config.dataset import Cifar10Dataset
from edgeflow.dataset.base import RawDataset
from edgeflow.dataset.sources import cifar10
from edgeflow.errors import DataError

Members = dict[str, bytes]
WriteArchive = Callable[[Members], Path]


def load(path: Path) -> RawDataset:
    return cifar10.load(Cifar10Dataset(source="cifar10", path=str(path)))


def unpack(members: Members, root: Path) -> Path:
    for name, data in members.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(data)
    return root / "cifar-10-batches-py"


@pytest.mark.parametrize("unpacked", [True, False])
def test_reads_archive_and_folder(
    tmp_path: Path, cifar_members: Members, write_archive: WriteArchive, unpacked: bool
) -> None:
    path = unpack(cifar_members, tmp_path) if unpacked else write_archive(cifar_members)

    raw = load(path)

    assert raw.test is not None
    assert (raw.train.x.shape, raw.test.x.shape) == ((100, 32, 32, 3), (20, 32, 32, 3))
    assert raw.train.x.dtype == np.uint8
    assert np.unique(raw.train.x.reshape(-1, 3), axis=0).tolist() == [[10, 20, 30]]
    assert raw.train.y.tolist() == list(range(10)) * 10
    assert raw.labels[:3] == ("airplane", "automobile", "bird")


def test_files_are_the_archive_or_the_batches(
    tmp_path: Path, cifar_members: Members, write_archive: WriteArchive
) -> None:
    archive, folder = write_archive(cifar_members), unpack(cifar_members, tmp_path)

    def names(path: Path) -> list[str]:
        return sorted(cifar10.files(Cifar10Dataset(source="cifar10", path=str(path))))

    assert names(archive) == ["archive"]
    assert names(folder) == sorted(Path(name).name for name in cifar_members)
    assert names(tmp_path / "nowhere") == []


class Attack:
    """What a malicious archive holds: a call that unpickling would make."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_that_runs_code_is_refused(
    tmp_path: Path, cifar_members: Members, write_archive: WriteArchive, protocol: int
) -> None:
    marker = tmp_path / "owned"
    attack = pickle.dumps(Attack(marker), protocol=protocol)
    cifar_members["cifar-10-batches-py/data_batch_3"] = attack

    with pytest.raises(DataError, match=r"asks for \w+\.system, which no array needs"):
        load(write_archive(cifar_members))
    assert not marker.exists()


def test_members_outside_the_folder_are_never_written(
    tmp_path: Path, cifar_members: Members, write_archive: WriteArchive
) -> None:
    cifar_members["../escaped"] = b"x"
    load(write_archive(cifar_members))
    assert not (tmp_path.parent / "escaped").exists()


def test_a_missing_batch_is_named(cifar_members: Members, write_archive: WriteArchive) -> None:
    del cifar_members["cifar-10-batches-py/data_batch_2"]
    with pytest.raises(DataError, match="lacks data_batch_2"):
        load(write_archive(cifar_members))


def test_a_path_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist") as caught:
        load(tmp_path / "nowhere.tar.gz")
    assert "cifar-10-python.tar.gz" in caught.value.hint


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[: len(data) // 2], lambda data: b"no archive", lambda data: b""],
    ids=["cut", "garbage", "empty"],
)
def test_a_corrupt_archive(
    cifar_members: Members, write_archive: WriteArchive, damage: Callable[[bytes], bytes]
) -> None:
    path = write_archive(cifar_members)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz (is corrupt|cannot be read)"):
        load(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data_batch_1", [1, 2], "holds no CIFAR-10 batches"),
        ("data_batch_1", {b"data": [1], b"labels": [0]}, "holds no CIFAR-10 batches"),
        ("data_batch_1", {b"labels": [0]}, "holds no CIFAR-10 batches"),
        ("batches.meta", {}, "has no label names"),
    ],
)
def test_other_contents_are_refused(
    cifar_members: Members, write_archive: WriteArchive, name: str, content: object, message: str
) -> None:
    encoded = pickle.dumps(content, protocol=4)
    cifar_members[f"cifar-10-batches-py/{name}"] = encoded
    with pytest.raises(DataError, match=message):
        load(write_archive(cifar_members))


def test_a_cut_pickle_is_refused(tmp_path: Path, cifar_members: Members) -> None:
    cifar_members["cifar-10-batches-py/test_batch"] = b"\x80\x02}q\x00("
    with pytest.raises(DataError, match="test_batch cannot be read as pickled arrays"):
        load(unpack(cifar_members, tmp_path))
