"""How far a training got, so that a killed one goes on from its last whole epoch."""

import io
import json
import shutil
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from edgeflow.artifact.atomic import write_bytes
from edgeflow.console import say

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = Sequence["NDArray[Any]"]
Row = dict[str, int | float]
"""The figures of one epoch; its number stays an int in JSON and back."""


class _About(BaseModel):
    """What stands beside the arrays; JSON keeps every digit of a float."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    key: str
    rows: list[Row]


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """A training after a whole epoch.

    Attributes:
        rows: the training curves, one row per epoch.
        weights: of the model, as they are now.
        optimizer: all variables of the optimizer.
        best: the model's weights after the epoch of the lowest validation loss.
    """

    rows: list[Row]
    weights: Arrays
    optimizer: Arrays
    best: Arrays


GROUPS = ("weights", "optimizer", "best")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The place of one training's progress; it serves no training with another key."""

    folder: Path
    key: str

    @property
    def path(self) -> Path:
        """The file, in a folder of its own so that `remove` takes killed writes along."""
        return self.folder / "progress.npz"

    def save(self, progress: Progress) -> None:
        """Replace what is kept; a disk that is full costs the checkpoint, not the training."""
        try:
            write_bytes(self.path, self._pack(progress))
        except OSError as error:
            say(f"the checkpoint {self.path} cannot be written: {error.strerror or error}")

    def load(self) -> Progress | None:
        """Return what is kept for the key; anything else is dropped, with a word."""
        try:
            about, progress = _unpack(self.path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            self._drop(f"it cannot be read ({error})")
            return None
        if about.key == self.key:
            return progress
        self._drop("it is of a training with other data, settings, code or tools")
        return None

    def remove(self) -> None:
        """Forget the progress."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _pack(self, progress: Progress) -> bytes:
        import numpy as np

        about = _About(key=self.key, rows=progress.rows).model_dump_json()
        arrays = {
            f"{group}.{index}": array
            for group in GROUPS
            for index, array in enumerate(getattr(progress, group))
        }
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, about=np.array(about), **arrays)
        return buffer.getvalue()

    def _drop(self, why: str) -> None:
        say(f"the checkpoint {self.path} is dropped: {why}; training starts anew")
        self.remove()


def _unpack(path: Path) -> tuple[_About, Progress]:
    import numpy as np

    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        about = _About.model_validate(json.loads(str(file["about"])))
        groups = {
            group: [file[name] for name in file.files if name.startswith(f"{group}.")]
            for group in GROUPS
        }
    return about, Progress(rows=about.rows, **groups)
