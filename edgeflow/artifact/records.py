"""Reads the JSON files that one step leaves for the next."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from edgeflow.errors import IntegrityError

Record = TypeVar("Record")


def read_record(path: Path, what: str, parse: Callable[[Any], Record], *, hint: str = "") -> Record:
    """Return what a JSON file holds.

    Args:
        path: the file.
        what: what it should be, for the message: "a validation".
        parse: makes it of the JSON; raises ValueError, KeyError or TypeError for another thing.
        hint: what to do, where deleting the file and building again is not it.

    Raises:
        IntegrityError: the file is missing, or holds something else.
    """
    try:
        return parse(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise IntegrityError(
            f"{path} cannot be read as {what}: {reason}",
            hint=hint or f"delete {path} and run `edgeflow run` again",
        ) from error
