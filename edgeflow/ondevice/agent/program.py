"""The file that the agent runs from, and how to start it anew."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

PACKAGE = os.path.dirname(os.path.abspath(__file__))
PLACE = os.path.dirname(PACKAGE)
MAIN = "import sys; sys.path.append(sys.argv.pop(1)); import {0}; sys.exit({0}.main())"


def program_file() -> str | None:
    """Return the one file that we run from; None if it is a folder of modules."""
    return PLACE if os.path.isfile(PLACE) else None


def command() -> List[str]:
    """Return what runs this same agent, to be followed by a verb."""
    if program_file():
        return [sys.executable, "-I", PLACE]
    return [sys.executable, "-I", "-c", MAIN.format(os.path.basename(PACKAGE)), PLACE]
