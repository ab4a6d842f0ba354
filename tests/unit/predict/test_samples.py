"""Files as samples, by what a release's manifest says of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import wavfile

from edgeflow.bundle.manifest import BundleManifest
from edgeflow.config.dataset import of_decoding
from edgeflow.dataset.build import build_dataset
from edgeflow.dataset.view import DatasetFacts, open_dataset
from edgeflow.errors import DataError
from edgeflow.predict.answer import contradiction
from edgeflow.predict.samples import Samples, read_samples


def manifest_of(facts: DatasetFacts) -> BundleManifest:
    """Return the manifest of a bundle whose model takes a dataset's samples."""
    tensor = {"dtype": "float32", "scale": 0.0, "zero_point": 0}
    inputs = [
        {
            **tensor,
            "name": name,
            "shape": [1, *one.shape],
            "stored": one.dtype,
            "preprocess": one.preprocess.model_dump(),
        }
        for name, one in facts.inputs.items()
    ]
    output = {**tensor, "name": "output", "shape": [1, len(facts.labels)], "tolerance": 0.0}
    return BundleManifest.model_validate(
        {
            "target": {"kind": "litert"},
            "model": "net",
            "recipe": "fp32",
            "quantize": "none",
            "labels": facts.labels,
            "engine_options": {},
            "io": {"inputs": inputs, "outputs": [output]},
            "front_end": facts.front_end,
            "decoding": facts.decoding,
            "meaning": {"task": facts.task},
            "bit_exact": False,
            "files": {},
        }
    )


def built(tmp_path: Path, **section: Any) -> tuple[BundleManifest, Any]:
    """Build a dataset; return the manifest of a model of it, and its test samples."""
    build_dataset("mine", {"calibration": 2, **section}, "0", tmp_path / "built")
    view = open_dataset(tmp_path / "built", ("test",))
    return manifest_of(view.facts), view.raw("test")


def read(manifest: BundleManifest, *paths: Path) -> Samples:
    return read_samples(paths, manifest)


def test_photos(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for part in ("train", "test"):
        for label in "ab":
            folder = tmp_path / "photos" / part / label
            folder.mkdir(parents=True)
            for row in range(3):
                pixels = rng.integers(0, 256, (20, 30, 4), np.uint8)
                Image.fromarray(pixels).save(folder / f"{row}.png")
    section = {"source": "image_folder", "path": str(tmp_path / "photos"), "size": [8, 6]}
    manifest, stored = built(tmp_path, **section, background=[9, 8, 7], validation=0.4)
    assert manifest.decoding == {
        "source": "image_folder",
        "size": [8, 6],
        "channels": 3,
        "background": [9, 8, 7],
        "input_shape": None,
    }
    found = read(manifest, tmp_path / "photos/test")
    assert len(found.names) == 6
    assert {one.tobytes() for one in found.array()} == {one.tobytes() for one in stored}


def test_sounds(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "clips" / label).mkdir(parents=True)
        for row in range(6):
            clip = rng.normal(0, 3000, (4000, 2)).astype(np.int16)
            wavfile.write(tmp_path / "clips" / label / f"{row}.wav", 8000, clip)
    features = {"rate": 4000, "mels": 8, "window_ms": 64, "hop_ms": 32, "upper_hz": 2000}
    section = {"source": "wav_folder", "path": str(tmp_path / "clips"), "seconds": 0.5}
    manifest, stored = built(tmp_path, **section, resample=True, features=features)
    samples = {one.tobytes() for one in read(manifest, tmp_path / "clips").array()}
    assert len(samples) == 12
    assert {one.tobytes() for one in stored} <= samples
    wavfile.write(tmp_path / "fast.wav", 2_000_000, np.ones(9, np.int16))
    with pytest.raises(DataError, match="2000000 samples per second"):
        read(manifest, tmp_path / "fast.wav")


def arrays(path: Path, shape: tuple[int, ...], dtype: str = "float32") -> Any:
    x = (np.random.default_rng(0).random((40, *shape)) * 9).astype(dtype)
    np.savez(path, x=x, y=np.arange(40) % 2)
    return x


@pytest.mark.parametrize(
    ("source", "given", "options", "stored"),
    [
        ("npz", (6, 5), {}, (6, 5, 1)),
        ("npz", (3, 6, 5), {"data_format": "channels_first"}, (6, 5, 3)),
        ("npz", (12,), {"input_shape": [4, 3]}, (4, 3)),
        ("signal", (16,), {}, (16, 1, 1)),
        ("signal", (2, 16), {"data_format": "channels_first"}, (16, 1, 2)),
    ],
)
def test_arrays_in_the_form_of_the_dataset_and_of_the_network(
    tmp_path: Path, source: str, given: tuple[int, ...], options: Any, stored: tuple[int, ...]
) -> None:
    path = tmp_path / "mine.npz"
    x = arrays(path, given)
    manifest, test = built(tmp_path, source=source, path=str(path), **options)
    whole = read(manifest, path)
    assert whole.array().shape == (40, *stored)
    assert whole.names[:2] == (f"{path}[0]", f"{path}[1]")
    assert {one.tobytes() for one in test} <= {one.tobytes() for one in whole.array()}
    np.save(tmp_path / "one.npy", x[3].astype(np.float64))
    np.save(tmp_path / "test.npy", test)
    one, many = (read(manifest, tmp_path / f"{name}.npy").array() for name in ("one", "test"))
    np.testing.assert_array_equal(one, whole.array()[3:4])
    np.testing.assert_array_equal(many, test)


def test_several_inputs_are_arrays_of_one_file(tmp_path: Path) -> None:
    path, rng = tmp_path / "mine.npz", np.random.default_rng(0)
    image, state = rng.integers(0, 256, (20, 4, 4, 1), np.uint8), rng.random((20, 3), np.float32)
    np.savez(path, **{"x.image": image, "x.state": state, "y": np.arange(20) % 2})  # type: ignore[arg-type]
    manifest, _ = built(tmp_path, source="npz", path=str(path))
    found = read(manifest, path)
    np.testing.assert_array_equal(found.array()["image"], image)
    np.testing.assert_array_equal(found.array()["state"], state)
    np.savez(tmp_path / "half.npz", **{"x.image": image})  # type: ignore[arg-type]
    np.savez(tmp_path / "uneven.npz", **{"x.image": image, "x.state": state[:3]})  # type: ignore[arg-type]
    Image.fromarray(image[0, ..., 0]).save(tmp_path / "photo.png")
    with pytest.raises(DataError) as caught:
        read(manifest, *(tmp_path / name for name in ("half.npz", "uneven.npz", "photo.png")))
    for said in ("of the inputs image\n", "image 20, state 3", "photo.png is one input of several"):
        assert said in caught.value.message
    assert "x.image uint8 (n, 4, 4, 1), x.state float32 (n, 3)" in caught.value.hint


def test_what_holds_no_samples(tmp_path: Path) -> None:
    arrays(tmp_path / "mine.npz", (6,))
    manifest, _ = built(tmp_path, source="npz", path=str(tmp_path / "mine.npz"))
    np.save(tmp_path / "nan.npy", np.full((1, 6), np.nan))
    np.save(tmp_path / "none.npy", np.zeros((0, 6)))
    np.save(tmp_path / "code.npy", np.array([{}], object), allow_pickle=True)
    np.save(tmp_path / "bytes.npy", np.zeros((1, 6), np.uint8))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "mine.npz").read_bytes()[:50])
    (tmp_path / "photo.png").write_bytes(b"")
    np.savez(tmp_path / "others.npz", z=np.zeros((1, 6)))
    names = ("others.npz", "nan.npy", "none.npy", "code.npy", "bytes.npy", "cut.npz", "photo.png")
    with pytest.raises(DataError) as caught:
        read(manifest, *(tmp_path / name for name in names))
    message = caught.value.message
    for said in (
        "7 files cannot be used",
        "others.npz holds no arrays of samples",
        "nan.npy holds NaN or infinity",
        "none.npy: numbers of samples: input 0",
        "code.npy cannot be read as arrays: it holds pickled objects",
        "bytes.npy: input is uint8 (1, 6)",
        "cut.npz cannot be read as arrays",
        "photo.png holds no arrays",
    ):
        assert said in message


def test_a_manifest_that_contradicts_itself(tmp_path: Path) -> None:
    arrays(tmp_path / "mine.npz", (6,))
    manifest, _ = built(tmp_path, source="npz", path=str(tmp_path / "mine.npz"))
    assert contradiction(manifest) is None
    io = manifest.io
    wide = io.outputs[0].model_copy(update={"shape": [1, 3]})
    huge = io.outputs[0].model_copy(update={"shape": [1, 1 << 30]})
    anomaly = manifest.meaning.model_copy(update={"task": "anomaly"})
    for changes, said in (
        ({"labels": ["a"]}, "2 values come out for 1 labels"),
        ({"io": io.model_copy(update={"outputs": [wide]})}, "3 values come out for 2 labels"),
        ({"io": io.model_copy(update={"outputs": []})}, "no inputs or outputs"),
        ({"io": io.model_copy(update={"outputs": [*io.outputs, huge]})}, "more than"),
        ({"decoding": {"source": "camera"}}, "does not say how files are read"),
        ({"meaning": anomaly}, "tells no anomalies"),
    ):
        assert said in str(contradiction(manifest.model_copy(update=changes)))
    photo = {"source": "image_folder", "size": [4, 4], "channels": 3}
    other = manifest.model_copy(update={"decoding": photo})
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "photo.png")
    with pytest.raises(DataError, match="gives 48 values, the network takes"):
        read(other, tmp_path / "photo.png")


def test_a_decoding_names_a_source() -> None:
    assert of_decoding({"source": "digits"}).source == "digits"
    with pytest.raises(ValueError, match="source"):
        of_decoding({})
