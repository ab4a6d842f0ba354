"""What the headers of WAV files say: rates, lengths, channels."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgeflow.dataset.sound import stored
from edgeflow.errors import DataError
from edgeflow.project.survey.finding import Finding, about, counted


@dataclass(kw_only=True, slots=True)
class Sounds:
    """Rates, lengths and channels of WAV files; memory grows with the distinct ones alone.

    Attributes:
        rates: number of files of each rate, in samples per second.
        tenths: number of files of each length, in tenths of a second, rounded.
        channels: number of files of each number of channels.
        bad: names of files that are no WAV files, with the reason.
    """

    rates: Counter[int] = field(default_factory=Counter)
    tenths: Counter[int] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    bad: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, path: Path) -> None:
        """Look at a file."""
        try:
            rate, samples = stored(path)
        except DataError as error:
            self.bad[name] = error.message.replace(str(path), name)
            return
        self.rates[rate] += 1
        self.tenths[round(10 * len(samples) / max(rate, 1))] += 1
        self.channels[1 if samples.ndim == 1 else samples.shape[1]] += 1

    @property
    def rate(self) -> int:
        """The rate of most files."""
        return self.rates.most_common(1)[0][0]

    def seconds(self) -> float:
        """Return the length that half of the files reach, at least 0.1."""
        passed, total = 0, sum(self.tenths.values())
        for tenths, count in sorted(self.tenths.items()):
            passed += count
            if 2 * passed >= total:
                return max(tenths, 1) / 10
        return 1.0

    def facts(self) -> dict[str, str]:
        """Return what to show of them."""
        if not self.rates:
            return {}
        return {
            "length": f"{min(self.tenths) / 10:g} to {max(self.tenths) / 10:g} s, "
            f"median {self.seconds():g} s",
            "samples per second": _listed(self.rates),
            "channels": _listed(self.channels),
        }

    def findings(self, rate: int | None) -> Iterator[Finding]:
        """Yield what is to be said of them.

        Args:
            rate: samples per second that other files are resampled to; None where none is known.
        """
        if self.bad:
            what = f"{counted(len(self.bad), 'file')} cannot be used as WAV files"
            yield about(
                "error",
                what,
                list(self.bad.values()),
                "replace them, or move them out of the class folders",
            )
        if len(self.rates) > 1:
            to = f", and are resampled to {rate:,}" if rate else ""
            yield Finding(
                level="warning",
                message=f"files have several rates: {_listed(self.rates)}{to}",
                hint="on the device nothing resamples: record at the rate of the features there",
            )
        if len(self.channels) > 1:
            yield Finding(
                level="warning",
                message=f"files have several numbers of channels: {_listed(self.channels)}",
                hint="if a number goes with a class, the network may learn that: check it",
            )


def _listed(counts: Counter[int]) -> str:
    if len(counts) == 1:
        return f"{next(iter(counts)):,}"
    return ", ".join(f"{value:,} ({counted(n, 'file')})" for value, n in counts.most_common(5))
