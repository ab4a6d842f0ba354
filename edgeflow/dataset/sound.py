"""Recorded sound: read, checked, mixed down to one channel, and brought to one rate."""

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeflow.config.dataset import WavFolderDataset
from edgeflow.dataset.tree import listed, named
from edgeflow.errors import DataError
from edgeflow.ondevice.front_end import mono

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LARGEST = 4.0
"""Float samples are -1..1; mixing may go 12 dB beyond, and integers stored as floats go further."""

CLIPPED_SHARE = 0.001
"""Share of samples in flat tops at full scale, of three or more, above which a file is named."""

FULL_SCALE = 0.99
"""Peak from which flat tops are clipping: 127 of 8 bits is 0.992."""

FASTEST = 1_000_000
"""Samples per second above which a header is taken for corrupt: recorders of bats reach half of it.
The filter that resamples may be twenty times as long: any rate at all could exhaust the memory."""

MARGIN_S = 0.1
"""Resampling reads that much beyond the clip, more than its filter is long from 1,000 Hz on."""

_REPLACE = "replace it or move it out of the class folder"


@dataclass(kw_only=True, slots=True)
class Recordings:
    """Reads the files of a dataset, and keeps what there is to tell of them."""

    section: WavFolderDataset
    files: int = 0
    told: dict[str, list[Path]] = field(default_factory=dict)

    def clip(self, path: Path) -> "NDArray[np.float64]":
        """Return a file's sound from its start, -1..1, (n,), at the rate of the features.

        Raises:
            DataError: it is no WAV file, empty, of another rate, or its samples are no sound.
        """
        rate = self.section.features.rate
        found, samples = stored(path)
        _require_sound(path, samples)
        if not 1 <= found <= FASTEST:
            message = f"{path} has a header of {found} samples per second"
            raise DataError(message, hint=_REPLACE)
        if found != rate and not self.section.resample:
            raise _other_rate(path, found, rate)
        self.files += 1
        self._look_at(path, found, samples)
        values: NDArray[np.float64] = mono(samples, self.section.mixdown)
        if found != rate:
            values = _resampled(values[: _length(self.section, found)], found, rate)
        used = values[: round(rate * self.section.seconds)]
        self._tell("silent, all samples being equal", path, bool((used == used[0]).all()))
        return values

    def notes(self) -> Iterator[str]:
        """Yield what to tell of all files read, a line each."""
        root = Path(self.section.path).expanduser()
        for what, paths in self.told.items():
            names = listed(named(root, paths))
            yield f"{len(paths)} of {self.files} files are {what}: {names}"

    def _look_at(self, path: Path, rate: int, samples: "NDArray[Any]") -> None:
        seconds, wanted = len(samples) / rate, self.section.seconds
        self._tell(f"longer than {wanted:g} s and cut at the end", path, seconds > wanted)
        self._tell(f"shorter than {wanted:g} s and filled up with silence", path, seconds < wanted)
        self._tell("clipped", path, _clipped(samples))

    def _tell(self, what: str, path: Path, holds: bool) -> None:
        if holds:
            self.told.setdefault(what, []).append(path)


def stored(path: Path) -> "tuple[int, NDArray[Any]]":
    """Return a file's rate, and its samples as they are stored, (n,) or (n, channels)."""
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", wavfile.WavFileWarning)  # such as a file cut short
            warnings.filterwarnings("ignore", message=r"Chunk \(non-data\) not understood")
            rate, samples = wavfile.read(path)
    except Exception as error:  # on corrupt bytes scipy raises many kinds
        raise DataError(
            f"{path} cannot be read as WAV: {error}",
            hint=_REPLACE,
        ) from error
    return int(rate), samples


def _require_sound(path: Path, samples: "NDArray[Any]") -> None:
    import numpy as np

    if not samples.size:
        raise DataError(f"{path} holds no samples", hint=_REPLACE)
    if samples.dtype.kind != "f":
        return
    peak = float(np.abs(samples).max())
    if not math.isfinite(peak):
        raise DataError(f"{path} holds NaN or infinity", hint=_REPLACE)
    if peak > LARGEST:
        raise DataError(
            f"{path} has float samples up to {peak:g}, and full scale is 1: they seem to be "
            "integers stored as floats",
            hint="divide them by the full scale of the integers, 32768 for 16 bits, or store them "
            "as integers",
        )


def _other_rate(path: Path, found: int, rate: int) -> DataError:
    return DataError(
        f"{path} has {found} samples per second, the dataset's features take {rate}",
        hint="set `resample: true` of the dataset, or convert it, for example with "
        f"`ffmpeg -i {path.name} -ar {rate} new.wav`, or set `features.rate: {found}` if all "
        "files have that rate",
    )


def _length(section: WavFolderDataset, rate: int) -> int:
    """Return how many samples of a rate resampling needs for a clip."""
    return math.ceil((section.seconds + MARGIN_S) * rate)


def _resampled(values: "NDArray[np.float64]", found: int, rate: int) -> "NDArray[np.float64]":
    """Return sound at another rate, low-passed so that nothing folds back."""
    from scipy.signal import resample_poly

    common = math.gcd(found, rate)
    resampled: NDArray[np.float64] = resample_poly(values, rate // common, found // common)
    return resampled


def _clipped(samples: "NDArray[Any]") -> bool:
    """Return whether much of a sound is flat at full scale, in runs of three samples or more."""
    import numpy as np

    sizes = np.abs(mono(samples.T.ravel(), "mean"))  # the channels one after the other
    peak = sizes.max()
    if peak < FULL_SCALE:
        return False
    flat = sizes >= peak * (1 - 1e-4)
    runs = flat[:-2] & flat[1:-1] & flat[2:]
    return bool(runs.sum() > CLIPPED_SHARE * len(sizes))
