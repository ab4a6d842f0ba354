from pathlib import Path
from typing import Any

import pytest

from edgeflow.artifact.hashing import canonical_json, sha256_file, sha256_json
from edgeflow.artifact.manifest import (
    FileRecord,
    Manifest,
    describe_files,
    read_manifest,
    tool_versions,
    verify_files,
)
from edgeflow.errors import IntegrityError, MissingToolError

ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Write two files and the manifest that describes them."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "model.bin").write_bytes(b"abc")
    (tmp_path / "sub" / "labels.txt").write_text("0\n1\n")
    path = tmp_path / "manifest.json"
    fields: dict[str, Any] = {"inputs": {}, "slice": {}, "code": "c", "tools": {}}
    Manifest(step="train", files=describe_files(tmp_path), **fields).write(path)
    return path


def test_digests_are_sha256(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256_file(tmp_path / "file") == ABC
    assert sha256_json("abc") != ABC


def test_equal_json_values_have_one_digest() -> None:
    assert canonical_json({"b": [1, None], "a": "é"}) == '{"a":"\\u00e9","b":[1,null]}'
    assert sha256_json({"a": 1, "b": 2}) == sha256_json({"b": 2, "a": 1})
    assert sha256_json({"a": 1}) != sha256_json({"a": "1"})
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(float("nan"))


def test_files_are_described_by_relative_path(manifest: Path) -> None:
    files = read_manifest(manifest).files
    assert files == {
        "model.bin": FileRecord(sha256=ABC, size_bytes=3),
        "sub/labels.txt": files["sub/labels.txt"],
    }
    assert describe_files(manifest.parent, frozenset({"manifest.json"})) == files


def test_unchanged_files_verify(manifest: Path) -> None:
    assert verify_files(manifest) == read_manifest(manifest)


@pytest.mark.parametrize("name", ["model.bin", "sub/labels.txt"])
def test_a_flipped_bit_is_found(manifest: Path, name: str) -> None:
    path = manifest.parent / name
    data = bytearray(path.read_bytes())
    data[1] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match=path.name):
        verify_files(manifest)


def test_only_the_named_files_are_read(manifest: Path) -> None:
    (manifest.parent / "model.bin").unlink()
    verify_files(manifest, ["sub/labels.txt"])
    with pytest.raises(IntegrityError, match="missing"):
        verify_files(manifest, ["model.bin"])


def test_a_file_that_the_manifest_does_not_list(manifest: Path) -> None:
    (manifest.parent / "extra").write_text("x")
    with pytest.raises(IntegrityError, match="extra"):
        verify_files(manifest, ["extra"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"model.bin"', '"/etc/passwd"'),
        ('"model.bin"', '"../model.bin"'),
        ('"model.bin"', '""'),
        ('"format": 1', '"format": 2'),
        ('"step"', '"stepp"'),
        ("{", "["),
    ],
)
def test_what_is_no_manifest_is_refused(manifest: Path, old: str, new: str) -> None:
    manifest.write_text(manifest.read_text().replace(old, new, 1))
    with pytest.raises(IntegrityError, match="cannot be read as a manifest"):
        verify_files(manifest)


def test_a_missing_manifest(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="No such file"):
        read_manifest(tmp_path / "manifest.json")


def test_versions_of_tools() -> None:
    assert tool_versions(("pydantic",))["pydantic"].startswith("2.")
    with pytest.raises(MissingToolError, match="no-such-package is not installed"):
        tool_versions(("no-such-package",))
