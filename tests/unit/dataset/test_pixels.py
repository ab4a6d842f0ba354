"""Images are seen as a viewer shows them: upright, whole, and without what lies hidden."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgeflow.config.dataset import ImageFolderDataset
from edgeflow.dataset.base import RawDataset
from edgeflow.dataset.sources import image_folder
from edgeflow.errors import DataError

SIZE = (6, 4)
"""Width and height of all images here, as Pillow has it."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    return tmp_path / "a"


def load(folder: Path, size: tuple[int, int] = (4, 6), **more: Any) -> RawDataset:
    section = {"source": "image_folder", "path": str(folder.parent), "size": size, **more}
    return image_folder.load(ImageFolderDataset.model_validate(section))


def only(folder: Path, **more: Any) -> NDArray[Any]:
    (image,) = load(folder, **more).train.x
    pixels: NDArray[Any] = image
    return pixels


def picture() -> Image.Image:
    """Return an image without any symmetry: red left, blue right, green in one corner."""
    pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    pixels[:, :3, 0] = pixels[:, 3:, 2] = 200
    pixels[0, 0] = (0, 200, 0)
    return Image.fromarray(pixels)


TURNS = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, 1),
    7: lambda x: x[::-1, ::-1].transpose(1, 0, 2),
    8: lambda x: np.rot90(x, -1),
}
"""What a camera held that way stores of a scene, by the tag it writes."""


@pytest.mark.parametrize("suffix", ["png", "tiff", "webp", "jpg"])
@pytest.mark.parametrize("tag", TURNS)
def test_the_orientation_is_applied(folder: Path, tag: int, suffix: str) -> None:
    scene = np.asarray(picture())
    exif = Image.Exif()
    exif[0x0112] = tag
    exact = {"lossless": True} if suffix == "webp" else {"quality": 100, "subsampling": 0}
    stored = Image.fromarray(np.ascontiguousarray(TURNS[tag](scene)))
    stored.save(folder / f"x.{suffix}", exif=exif, **(exact if suffix != "png" else {}))

    seen = only(folder)

    assert np.abs(seen.astype(int) - scene).max() <= (60 if suffix == "jpg" else 0)
    assert seen[2, 0].argmax() == 0
    assert seen[2, 5].argmax() == 2


@pytest.mark.parametrize("suffix", ["png", "webp", "jpg"])
def test_a_damaged_exif_block_leaves_the_image_as_it_is(folder: Path, suffix: str) -> None:
    picture().save(folder / f"x.{suffix}", exif=b"Exif\0\0garbage")
    seen = only(folder)
    assert (seen[2, 0].argmax(), seen[2, 5].argmax()) == (0, 2)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("background", [None, [0, 0, 0], [10, 120, 240]])
@pytest.mark.parametrize("kind", ["RGBA", "LA", "palette", "colour key"])
def test_transparent_pixels_show_the_background(
    folder: Path, kind: str, background: list[int] | None, channels: int
) -> None:
    if kind == "RGBA":
        Image.new("RGBA", SIZE, (250, 10, 90, 0)).save(folder / "x.png")
    elif kind == "LA":
        Image.new("LA", SIZE, (77, 0)).save(folder / "x.png")
    elif kind == "palette":
        image = Image.new("P", SIZE, 3)
        image.putpalette([250, 10, 90] * 256)
        image.save(folder / "x.gif", transparency=3)
    else:
        Image.new("RGB", SIZE, (250, 10, 90)).save(folder / "x.png", transparency=(250, 10, 90))

    asked = {} if background is None else {"background": background}
    seen = only(folder, channels=channels, **asked)

    shown = Image.new("RGB", (1, 1), tuple(background or (255, 255, 255)))
    expected = np.asarray(shown.convert("L" if channels == 1 else "RGB")).reshape(-1)
    np.testing.assert_array_equal(seen, np.broadcast_to(expected, seen.shape))


def test_what_is_half_transparent_is_mixed_before_it_is_resized(folder: Path) -> None:
    left = np.zeros((4, 4, 4), np.uint8)
    left[:, :2] = (0, 0, 0, 255)
    left[:, 2:] = (0, 0, 0, 0)  # black, and not to be seen
    left[0] = (0, 0, 0, 128)
    Image.fromarray(left).save(folder / "x.png")
    seen = only(folder, size=(4, 4), channels=1)
    np.testing.assert_array_equal(seen[1, :, 0], [0, 0, 255, 255])
    assert np.abs(seen[0].astype(int) - 127).max() <= 1


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tiff"])
def test_animated_images_are_refused(folder: Path, suffix: str) -> None:
    frames = [Image.new("L", SIZE, grey) for grey in (0, 200, 100)]
    frames[0].save(folder / f"x.{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match=rf"x\.{suffix} has 3 frames"):
        load(folder)


def test_a_photograph_with_a_preview_behind_it_is_one_image(folder: Path) -> None:
    preview = Image.new("RGB", SIZE)
    picture().save(folder / "x.mpo", save_all=True, append_images=[preview])
    assert only(folder).max() > 150


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr"])
def test_modes_of_8_bits_show_their_colours(folder: Path, mode: str) -> None:
    suffix = "jpg" if mode in ("CMYK", "YCbCr") else "png"
    Image.new("RGB", SIZE, (255, 255, 255)).convert(mode).save(folder / f"x.{suffix}")
    assert only(folder).min() > 250


def png_of_16_bits(colour: int, channels: int) -> bytes:
    """Return a PNG with 16 bits per channel, which Pillow reads and does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = (b"\0" + struct.pack(">H", 300) * channels * SIZE[0]) * SIZE[1]
    head = struct.pack(">IIBBBBB", *SIZE, 16, colour, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(("colour", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bits_in_any_mode_are_refused(folder: Path, colour: int, channels: int) -> None:
    (folder / "x.png").write_bytes(png_of_16_bits(colour, channels))
    with pytest.raises(DataError, match=r"x\.png has pixels of mode .* not 8 bits per channel"):
        load(folder)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tiff", "webp", "ppm"])
def test_a_file_cut_short_is_refused(folder: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    buffer = io.BytesIO()
    kind = {"jpg": "jpeg"}.get(suffix, suffix)
    Image.fromarray(noise).save(buffer, kind)
    (folder / f"x.{suffix}").write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    with pytest.raises(DataError, match=rf"x\.{suffix} cannot be read as an image"):
        load(folder)
