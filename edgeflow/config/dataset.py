"""Datasets: where samples come from and how they are split."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Strict, TypeAdapter, model_validator

from edgeflow.config.base import LocalPath, Section, Text
from edgeflow.config.samples import Preprocess
from edgeflow.tasks.registry import DEFAULT, TaskName

Fraction = Annotated[float, Field(gt=0, lt=1)]
Level = Annotated[int, Field(ge=0, le=255)]
Size = Annotated[int, Field(ge=1)]
Pixels = Annotated[int, Field(ge=1, le=4096)]
Frequency = Annotated[float, Field(ge=0, le=1e6)]
Milliseconds = Annotated[float, Field(gt=0, le=10_000)]


def _distinct(names: list[str]) -> list[str]:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"{', '.join(map(repr, repeated))} stands there twice")
    return names


Labels = Annotated[list[Text], Field(min_length=1), AfterValidator(_distinct)]


class _Dataset(Section):
    task: TaskName = DEFAULT
    """What networks learn: the class of a sample; to tell anomalies (class 1) from what is normal
    (class 0) by how badly they reconstruct them; or by regression the values of its target."""
    calibration: Annotated[int, Field(ge=1)] = 200
    """Samples in the calibration set (the representative dataset of PTQ), drawn from train."""
    validation: Fraction = 0.1
    """Share of the training samples kept for early stopping, where the source has no validation
    set of its own."""
    test: Fraction = 0.2
    """Share of all samples kept for the test set, where the source has no test set of its own."""
    seed: Annotated[int, Field(ge=0)] = 7
    """Seed of the splits; they are stratified by class."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Use at most this many samples of each original part, stratified; for quick trials."""
    preprocess: Preprocess | None = None
    """How stored samples become the network's input; by default as each source says."""
    input_shape: Annotated[tuple[Size, ...], Field(min_length=1), Strict(False)] | None = None
    """Shape in which the network takes a sample, of as many values: `[640]` makes vectors of five
    frames of 128 bands. By default as each source says."""
    labels: Labels | None = None
    """Names of the classes in the order of their numbers: all names that the source has, in any
    order, or names for the numbers of `npz` and `signal`. With `task: regression` names of the
    targets."""

    def decoding(self) -> dict[str, Any]:
        """Return what it takes to read one more file as those of the dataset, in JSON form."""
        own = type(self).model_fields.keys() - _Dataset.model_fields.keys() - {"path"}
        return self.model_dump(mode="json", include={*own, "input_shape"})


class DigitsDataset(_Dataset):
    """8x8 grey digits that ship with scikit-learn (1,797 samples, 10 classes)."""

    source: Literal["digits"]


class MnistDataset(_Dataset):
    """28x28 grey digits in IDX files (70,000 samples, 10 classes)."""

    source: Literal["mnist"]
    path: LocalPath | None = None
    """Folder with the four IDX files, gzipped or not; otherwise Keras downloads them."""


class FashionMnistDataset(_Dataset):
    """28x28 grey clothing in IDX files (70,000 samples, 10 classes)."""

    source: Literal["fashion_mnist"]
    path: LocalPath | None = None
    """Folder with the four IDX files; otherwise Debian's package, otherwise Keras' download."""


class Cifar10Dataset(_Dataset):
    """32x32 colour images in the original python archive (60,000 samples, 10 classes)."""

    source: Literal["cifar10"]
    path: LocalPath | None = None
    """The archive `cifar-10-python.tar.gz` or its unpacked folder; otherwise Keras downloads it."""


class ImageFolderDataset(_Dataset):
    """A folder for each class, with images in any format that Pillow reads."""

    source: Literal["image_folder"]
    path: LocalPath
    """Folder that holds one folder per class; the folder names are the labels. Given parts are
    kept: `train`, `val` and `test` above the class folders."""
    size: Annotated[tuple[Pixels, Pixels], Strict(False)]  # a list in YAML
    """Height and width in pixels that images are resized to (bilinear)."""
    channels: Literal[1, 3] = 3
    """1 for grey, 3 for RGB."""
    background: Annotated[tuple[Level, Level, Level], Strict(False)] = (255, 255, 255)
    """Red, green and blue, 0 to 255, of what transparent pixels are laid on."""


class NpzDataset(_Dataset):
    """Arrays `x` and `y`, or `x_train` and `y_train` with `x_val`, `x_test`, in one .npz file."""

    source: Literal["npz"]
    path: LocalPath
    """The .npz file; samples are (height, width), (height, width, channels) or (features,). uint8
    is scaled to 0..1, float is taken as it is. Several inputs: `x.image`, `x.state` and others."""
    data_format: Literal["channels_last", "channels_first"] | None = None
    """Where the channels of samples stand; needed where their shape does not tell."""


class SignalDataset(_Dataset):
    """One-dimensional signals in one .npz file, with the arrays of `npz`."""

    source: Literal["signal"]
    path: LocalPath
    """The .npz file; samples are (length,) or (length, channels). uint8 is scaled to 0..1."""
    data_format: Literal["channels_last", "channels_first"] | None = None
    """Where the channels of samples stand; needed where their shape does not tell."""


class Features(Section):
    """What a network is given of a sound: its strength in mel bands, or cepstra of that."""

    kind: Literal["log_mel", "mfcc"] = "log_mel"
    """log_mel: logarithm of the magnitude in each band. mfcc: its first cosine coefficients."""
    rate: Annotated[int, Field(ge=1000, le=384_000)] = 16_000
    """Samples per second of all files; see `resample`."""
    window_ms: Milliseconds = 40.0
    """Length of the window that each frame is computed over."""
    hop_ms: Milliseconds = 20.0
    """Time from one window to the next."""
    mels: Annotated[int, Field(ge=1, le=512)] = 40
    """Number of mel bands."""
    coefficients: Annotated[int, Field(ge=1, le=512)] = 10
    """Number of coefficients that `kind: mfcc` keeps."""
    lower_hz: Frequency = 20.0
    """Lower end of the lowest band."""
    upper_hz: Frequency = 4000.0
    """Upper end of the highest band, at most half of `rate`."""

    @model_validator(mode="after")
    def _possible(self) -> "Features":
        if not self.lower_hz < self.upper_hz <= self.rate / 2:
            raise ValueError(
                f"lower_hz ({self.lower_hz:g}) must be below upper_hz ({self.upper_hz:g}), and "
                f"that at most half of rate ({self.rate / 2:g})"
            )
        if self.kind == "mfcc" and self.coefficients > self.mels:
            raise ValueError(f"{self.mels} mels give no {self.coefficients} coefficients")
        if (
            round(self.rate * self.hop_ms / 1000) < 1
            or round(self.rate * self.window_ms / 1000) < 2
        ):
            raise ValueError("a hop holds no sample, or a window less than two")
        return self


class WavFolderDataset(_Dataset):
    """A folder for each class, with WAV files, given to the network as features of the sound."""

    source: Literal["wav_folder"]
    path: LocalPath
    """Folder that holds one folder per class; the folder names are the labels. Given parts are
    kept: `train`, `val` and `test` above the class folders."""
    seconds: Annotated[float, Field(gt=0, le=600)] = 1.0
    """Length that every clip is cut to, or filled up to with silence."""
    resample: bool = False
    """Whether files of another rate than that of the features are resampled; otherwise they are
    refused. On the device, record at the rate of the features."""
    mixdown: Literal["mean", "first"] = "mean"
    """How several channels become one, on the host and on the device: their mean, or the first."""
    features: Features = Features()
    """What is computed from a clip, on the host and on the device."""

    @model_validator(mode="after")
    def _holds_a_window(self) -> "WavFolderDataset":
        if self.features.window_ms > 1000 * self.seconds:
            raise ValueError(
                f"clips of {self.seconds:g} s hold no window of {self.features.window_ms:g} ms"
            )
        return self

    def front_end(self) -> dict[str, Any]:
        """Return what `edgeflow.ondevice.front_end` needs to make features of a clip."""
        return {
            "seconds": self.seconds,
            "mixdown": self.mixdown,
            **self.features.model_dump(mode="json"),
        }


_Whole = (
    DigitsDataset
    | MnistDataset
    | FashionMnistDataset
    | Cifar10Dataset
    | ImageFolderDataset
    | NpzDataset
    | SignalDataset
    | WavFolderDataset
)


class CollectedDataset(_Dataset):
    """Samples that devices kept, once a person has labelled them; alone, or beside others."""

    source: Literal["collected"]
    path: LocalPath
    """Folder of `edgeflow device collect`, such as `collected/digits-cnn`, with labels in its
    `labels.csv`, or samples sorted into a folder for each label."""
    base: Annotated[_Whole, Field(discriminator="source")] | None = None
    """Dataset that they are added to, as a section of its own: its train set grows, its test and
    validation sets stay. What it says of `preprocess` and `calibration` holds here too."""

    @model_validator(mode="before")
    @classmethod
    def _as_the_base(cls, given: Any) -> Any:
        base = given.get("base") if isinstance(given, Mapping) else None
        if not isinstance(base, Mapping):
            return given
        return {**{key: base[key] for key in ("preprocess", "calibration") if key in base}, **given}

    @model_validator(mode="after")
    def _of_classes(self) -> "CollectedDataset":
        tasks = {self.task, self.base.task if self.base else self.task}
        if tasks != {DEFAULT}:
            raise ValueError(f"collected samples have labels, and so `task: {DEFAULT}` alone")
        if self.base is not None and (self.input_shape, self.labels) != (None, None):
            raise ValueError("`input_shape` and `labels` are those of the `base`: say them there")
        return self

    def decoding(self) -> dict[str, Any]:
        """Return how a file becomes a sample: as of the base, or as an array."""
        if self.base is not None:
            return self.base.decoding()
        return NpzDataset(source="npz", path=".", input_shape=self.input_shape).decoding()


Dataset = Annotated[_Whole | CollectedDataset, Field(discriminator="source")]


def of_decoding(decoding: Mapping[str, Any]) -> Dataset:
    """Return the section of a dataset whose files are read as `decoding` says.

    Raises:
        ValidationError: it says no such thing.
    """
    place = {} if decoding.get("source") == "digits" else {"path": "."}
    section: Dataset = TypeAdapter(Dataset).validate_python({**decoding, **place})
    return section
