import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import zstandard

from edgeflow.artifact.fingerprint import normalized_source
from edgeflow.artifact.hashing import sha256_file
from edgeflow.artifact.manifest import read_manifest
from edgeflow.artifact.packed import packed_size
from edgeflow.bundle import pack
from edgeflow.bundle.archive import read_member, write_tar
from edgeflow.bundle.manifest import Meaning, read_bundle
from edgeflow.errors import IntegrityError
from edgeflow.ondevice import PROGRAMS, runner
from edgeflow.testing.trained import Trained
from tests.unit.packed import compile_tiny, members, pack_tiny, target_options


def test_a_tar_depends_on_names_and_contents_alone(tmp_path: Path) -> None:
    content = {"b/x": b"one", "a": b"two"}
    write_tar(tmp_path / "1.tar", content)
    write_tar(tmp_path / "2.tar", content)
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()
    with tarfile.open(tmp_path / "1.tar") as archive:
        infos = archive.getmembers()
    assert [info.name for info in infos] == ["b/x", "a"]
    assert {(info.mtime, info.uid, info.gid, info.uname, info.mode) for info in infos} == {
        (0, 0, 0, "", 0o644)
    }
    assert read_member(tmp_path / "1.tar", "a") == b"two"
    with pytest.raises(KeyError):
        read_member(tmp_path / "1.tar", "c")


def test_what_is_in_a_bundle(packed: Path) -> None:
    found = members(packed / "bundle.tar")
    assert next(iter(found)) == "manifest.json"
    manifest = read_bundle(packed / "bundle.tar")
    del found["manifest.json"]
    assert list(found) == list(manifest.files) == sorted(manifest.files)
    assert set(found) == {
        *(f"{name.rpartition('.')[2]}.py" for name in PROGRAMS),
        "engine.py",
        "golden_x/input.npy",
        "golden_y/output.npy",
        "model/model.tflite",
    }
    for name, data in found.items():
        assert manifest.files[name].sha256 == hashlib.sha256(data).hexdigest()
        assert manifest.files[name].size_bytes == len(data)


def test_its_manifest_says_how_to_run_it(trained: Trained, packed: Path) -> None:
    manifest = read_bundle(packed / "bundle.tar")
    compiled = read_manifest(packed / "compile.json")
    assert (manifest.model, manifest.recipe, manifest.quantize) == ("tiny", "ptq-int8", "ptq-int8")
    assert manifest.target == target_options("litert")
    assert manifest.engine_options == {"model": "model.tflite", "threads": 1, "xnnpack": True}
    io = manifest.io.model_dump(mode="json")
    preprocess = trained.view().facts.inputs["input"].preprocess.model_dump(mode="json")
    sources = compiled.facts["io"]["inputs"]
    told = {"preprocess": preprocess, "stored": "uint8"}
    assert io["inputs"] == [{**tensor, **told} for tensor in sources]
    assert manifest.decoding == {"source": "digits", "input_shape": None}
    assert manifest.meaning == Meaning(task="classification", probabilities=False)
    sinks = compiled.facts["io"]["outputs"]
    assert io["outputs"] == [{**tensor, "tolerance": 0.0} for tensor in sinks]
    assert manifest.labels == trained.view().facts.labels
    assert manifest.bit_exact
    assert "runner.py" in manifest.files


def test_golden_vectors_are_test_samples_with_the_engines_answers(
    trained: Trained, packed: Path
) -> None:
    found = members(packed / "bundle.tar")
    x, y = (np.load(io.BytesIO(found[f"golden_{name}.npy"])) for name in ("x/input", "y/output"))
    np.testing.assert_array_equal(x, trained.view().raw("test")[: pack.GOLDEN_VECTORS])
    np.testing.assert_array_equal(
        y, np.load(packed / "reference/output.npy")[: pack.GOLDEN_VECTORS]
    )


def test_a_target_without_bit_exactness_gets_a_tolerance(trained: Trained, tmp_path: Path) -> None:
    compile_tiny(trained, "litert", "none", tmp_path)
    pack_tiny(trained, "litert", "none", tmp_path)
    manifest = read_bundle(tmp_path / "bundle.tar")
    assert not manifest.bit_exact
    assert manifest.io.outputs[0].tolerance > 0


def test_equal_inputs_give_equal_bundles(trained: Trained, packed: Path, tmp_path: Path) -> None:
    compile_tiny(trained, "litert", "ptq-int8", tmp_path)
    manifest = pack_tiny(trained, "litert", "ptq-int8", tmp_path)
    assert (tmp_path / "bundle.tar").read_bytes() == (packed / "bundle.tar").read_bytes()
    frame = (tmp_path / "bundle.tar.zst").read_bytes()
    assert frame == (packed / "bundle.tar.zst").read_bytes()
    assert manifest == read_manifest(packed / "bundle.json")
    assert manifest.facts["sha256"] == sha256_file(packed / "bundle.tar")


def test_raw_and_packed_sizes_are_facts(packed: Path) -> None:
    facts = read_manifest(packed / "bundle.json").facts
    tar, frame = (packed / name for name in ("bundle.tar", "bundle.tar.zst"))
    assert zstandard.decompress(frame.read_bytes()) == tar.read_bytes()
    with tarfile.open(tar) as archive:
        padded = [512 + -(-member.size // 512) * 512 for member in archive.getmembers()]
    assert facts["bundle_bytes"] == tar.stat().st_size == sum(padded) + 1024
    assert facts["bundle_packed_bytes"] == frame.stat().st_size < facts["bundle_bytes"]
    assert facts["model_bytes"] == read_manifest(packed / "compile.json").facts["size_bytes"]
    model = (packed / "compiled" / "model.tflite").read_bytes()
    assert facts["model_packed_bytes"] == packed_size(model) < facts["model_bytes"]


def test_the_files_of_a_model_are_packed_as_one(trained: Trained, tmp_path: Path) -> None:
    compile_tiny(trained, "openvino", "none", tmp_path)
    facts = pack_tiny(trained, "openvino", "none", tmp_path).facts
    files = sorted((tmp_path / "compiled").iterdir())
    assert len(files) > 1
    joined = b"".join(file.read_bytes() for file in files)
    assert (facts["model_bytes"], facts["model_packed_bytes"]) == (len(joined), packed_size(joined))


def test_a_comment_in_the_runner_changes_no_bundle(
    trained: Trained, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path(runner.__file__).read_text()
    edited = tmp_path / "edited/runner.py"
    edited.parent.mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    programs = [name.replace("edgeflow.ondevice.runner", "edited.runner") for name in PROGRAMS]
    monkeypatch.setattr(pack, "PROGRAMS", programs)
    for change, same in ((text + "\n\n# a remark\n", True), (text + "\nX = 1\n", False)):
        edited.write_text(change)
        out = tmp_path / f"out-{same}"
        shutil.copytree(packed, out)
        pack_tiny(trained, "litert", "ptq-int8", out)
        equal = sha256_file(out / "bundle.tar") == sha256_file(packed / "bundle.tar")
        assert equal is same


def test_what_is_shipped_needs_no_edgeflow(packed: Path) -> None:
    found = members(packed / "bundle.tar")
    assert found["runner.py"].decode() == normalized_source("edgeflow.ondevice.runner")
    shipped = b"".join(data for name, data in found.items() if name.endswith(".py"))
    assert b"import edgeflow" not in shipped
    assert b"from edgeflow" not in shipped


@pytest.mark.parametrize("content", [b"", b"garbage" * 500, None], ids=["empty", "bytes", "tar"])
def test_what_is_no_bundle_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bundle.tar"
    if content is None:
        write_tar(path, {"manifest.json": json.dumps({"format": 1}).encode()})
    else:
        path.write_bytes(content)
    with pytest.raises(IntegrityError, match="is not a bundle") as caught:
        read_bundle(path)
    assert str(path) in caught.value.hint


def test_a_file_that_no_compiler_made_is_not_packed(
    trained: Trained, packed: Path, tmp_path: Path
) -> None:
    shutil.copytree(packed, tmp_path / "out")
    (tmp_path / "out" / "compiled" / "notes.txt").write_text("left by someone")
    pack_tiny(trained, "litert", "ptq-int8", tmp_path / "out")
    assert sha256_file(tmp_path / "out" / "bundle.tar") == sha256_file(packed / "bundle.tar")


def test_a_compilation_that_changed_is_refused(
    trained: Trained, packed: Path, tmp_path: Path
) -> None:
    shutil.copytree(packed, tmp_path / "out")
    (tmp_path / "out" / "compiled" / "model.tflite").write_bytes(b"other")
    with pytest.raises(IntegrityError, match=r"model\.tflite"):
        pack_tiny(trained, "litert", "ptq-int8", tmp_path / "out")
    assert sha256_file(tmp_path / "out" / "bundle.tar") == sha256_file(packed / "bundle.tar")
