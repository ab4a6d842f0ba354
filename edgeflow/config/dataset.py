"""Datasets: where samples come from and how they are split."""

from typing import Annotated, Literal

from pydantic import Field, Strict

from edgeflow.config.base import Section, Text

Fraction = Annotated[float, Field(gt=0, lt=1)]
Pixels = Annotated[int, Field(ge=1, le=4096)]


class _Dataset(Section):
    calibration: Annotated[int, Field(ge=1)] = 200
    """Samples in the calibration set (the representative dataset of PTQ), drawn from train."""
    validation: Fraction = 0.1
    """Share of the training samples kept for early stopping."""
    test: Fraction = 0.2
    """Share of all samples kept for the test set, where the source has no test set of its own."""
    seed: Annotated[int, Field(ge=0)] = 7
    """Seed of the stratified splits."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Use at most this many samples of each original part, stratified; for quick trials."""


class DigitsDataset(_Dataset):
    """8x8 grey digits that ship with scikit-learn (1,797 samples, 10 classes)."""

    source: Literal["digits"]


class MnistDataset(_Dataset):
    """28x28 grey digits in IDX files (70,000 samples, 10 classes)."""

    source: Literal["mnist"]
    path: Text | None = None
    """Folder with the four IDX files, gzipped or not; otherwise Keras downloads them."""


class FashionMnistDataset(_Dataset):
    """28x28 grey clothing in IDX files (70,000 samples, 10 classes)."""

    source: Literal["fashion_mnist"]
    path: Text | None = None
    """Folder with the four IDX files; otherwise Debian's package, otherwise Keras' download."""


class Cifar10Dataset(_Dataset):
    """32x32 colour images in the original python archive (60,000 samples, 10 classes)."""

    source: Literal["cifar10"]
    path: Text | None = None
    """The archive `cifar-10-python.tar.gz` or its unpacked folder; otherwise Keras downloads it."""


class ImageFolderDataset(_Dataset):
    """A folder for each class, with images in any format that Pillow reads."""

    source: Literal["image_folder"]
    path: Text
    """Folder that holds one folder per class; the folder names are the labels."""
    size: Annotated[tuple[Pixels, Pixels], Strict(False)]  # a list in YAML
    """Height and width in pixels that images are resized to (bilinear)."""
    channels: Literal[1, 3] = 3
    """1 for grey, 3 for RGB."""


class NpzDataset(_Dataset):
    """Arrays `x` and `y`, or `x_train`, `y_train`, `x_test` and `y_test`, in one .npz file."""

    source: Literal["npz"]
    path: Text
    """The .npz file; uint8 samples are scaled to 0..1, float samples are taken as they are."""
    labels: list[str] | None = None
    """Class names in the order of the class numbers; the numbers themselves by default."""


Dataset = Annotated[
    DigitsDataset
    | MnistDataset
    | FashionMnistDataset
    | Cifar10Dataset
    | ImageFolderDataset
    | NpzDataset,
    Field(discriminator="source"),
]
