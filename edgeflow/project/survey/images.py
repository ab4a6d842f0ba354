"""What the headers of images say: sizes, modes, orientation."""

import math
import operator
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgeflow.dataset.image import require_usable
from edgeflow.errors import DataError
from edgeflow.project.survey.finding import Finding, Level, about, counted

ORIENTATION = 0x0112
"""EXIF's tag; 1 is upright."""
GREY = frozenset({"1", "L", "LA"})
LISTED = 4
"""Sizes that are told with the number of their images."""
LARGER = 8
"""How many times the side of the network's input an image may have before it is named."""
STRETCH = 1.5
"""Largest ratio between an image's aspect and that of the network's input that is not named."""


@dataclass(kw_only=True, slots=True)
class Images:
    """Sizes, modes and orientations of images; memory grows with the distinct ones alone.

    Attributes:
        sizes: number of images of each width and height, as they are shown.
        modes: number of images of each of Pillow's modes.
        turned: images that EXIF turns.
        bad: names of files that are no images, or no samples, with the reason.
    """

    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    turned: list[str] = field(default_factory=list)
    bad: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, path: Path) -> None:
        """Look at the header of a file."""
        from PIL import Image

        try:
            with Image.open(path) as image:
                require_usable(path, image)
                turn = _orientation(image)
                size = image.size[::-1] if turn > 4 else image.size
                self.modes[image.mode] += 1
        except DataError as error:
            self.bad[name] = error.message.removeprefix(f"{path} ")
            return
        except Exception as error:  # on corrupt bytes Pillow's parsers raise many kinds
            self.bad[name] = str(error).replace(str(path), name) or type(error).__name__
            return
        self.sizes[size] += 1
        if turn > 1:
            self.turned.append(name)

    @property
    def grey(self) -> bool:
        """Whether all images are grey."""
        return bool(self.modes) and set(self.modes) <= GREY

    def sides(self) -> tuple[int, int]:
        """Return the median of the widths, and that of the heights; 0 where there are no images."""
        width, height = (_reached(self.sizes, operator.itemgetter(axis), 1 / 2) for axis in (0, 1))
        return width, height

    def short_side(self) -> int:
        """Return the shorter side that three quarters of the images reach; 0 where none are."""
        return _reached(self.sizes, min, 1 / 4)

    def facts(self) -> dict[str, str]:
        """Return what to show of them."""
        if not self.sizes:
            return {}
        return {
            "sizes": self._told_sizes(),
            "modes": ", ".join(f"{mode} {count:,}" for mode, count in self.modes.most_common()),
        }

    def _told_sizes(self) -> str:
        """Return the sizes, width first; of many the least, the largest and the most frequent."""
        if len(self.sizes) == 1:
            return _size(next(iter(self.sizes)))
        usual = self.sizes.most_common(LISTED)
        told = ", ".join(f"{_size(size)} {count:,}" for size, count in usual)
        if len(self.sizes) <= LISTED:
            return told
        least, most = (pick(self.sizes, key=math.prod) for pick in (min, max))
        span = f"{_size(least)} to {_size(most)}"
        return f"{len(self.sizes):,} from {span}, most of them {told}"

    def findings(self, size: tuple[int, int] | None) -> Iterator[Finding]:
        """Yield what is to be said of them.

        Args:
            size: height and width of the network's input, where it is known.
        """
        if self.bad:
            shown = [f"{name} ({why})" for name, why in self.bad.items()]
            what = f"{counted(len(self.bad), 'file')} cannot be used as images"
            yield about("error", what, shown, "replace them, or move them out of the class folders")
        if self.turned:
            many = counted(len(self.turned), "image is", "images are")
            what = f"{many} turned upright, as EXIF says"
            yield about("note", what, self.turned)
        kinds = {_kind(mode) for mode in self.modes}
        if len(kinds) > 1:
            told = ", ".join(f"{mode} {count:,}" for mode, count in self.modes.most_common())
            yield Finding(
                level="warning",
                message=f"images of several kinds: {told}",
                hint="if a kind goes with a class, the network learns the kind: check that",
            )
        if size:
            yield from self._fit(*size)

    def _fit(self, height: int, width: int) -> Iterator[Finding]:
        total, wanted = sum(self.sizes.values()), f"the network's input, {height}x{width}"
        small = sum(n for (w, h), n in self.sizes.items() if w < width or h < height)
        large = sum(n for (w, h), n in self.sizes.items() if min(w / width, h / height) >= LARGER)
        odd = sum(n for size, n in self.sizes.items() if _stretched(size, (width, height)))
        if small:
            what = f"are smaller than {wanted}, and enlarged"
            yield _of(small, total, "warning", what, "a smaller `size` costs less on the device")
        if large:
            what = f"have sides {LARGER} times those of {wanted}, or more"
            yield _of(large, total, "note", what, "a smaller copy builds faster")
        if odd:
            what = f"have another aspect ratio than {wanted}, and are stretched"
            yield _of(odd, total, "warning", what, "crop them, or set `size` to their ratio")


def _of(count: int, total: int, level: Level, what: str, hint: str) -> Finding:
    return Finding(level=level, message=f"{count:,} of {total:,} images {what}", hint=hint)


def _orientation(image: Any) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged block does not make the pixels bad
        return 1


def _kind(mode: str) -> str:
    """Return which look a mode has: grey or colour, and whether it may be transparent."""
    return "grey" if mode in GREY else "cmyk" if mode == "CMYK" else "colour"


def _stretched(size: tuple[int, int], wanted: tuple[int, int]) -> bool:
    ratio = size[0] * wanted[1] / (size[1] * wanted[0])
    return max(ratio, 1 / ratio) > STRETCH


def _reached(
    sizes: Counter[tuple[int, int]], side: Callable[[tuple[int, int]], int], share: float
) -> int:
    """Return a quantile of a side; 0 where there are no images."""
    passed, total = 0, sum(sizes.values())
    for size, count in sorted(sizes.items(), key=lambda item: side(item[0])):
        passed += count
        if passed >= share * total:
            return side(size)
    return 0


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
