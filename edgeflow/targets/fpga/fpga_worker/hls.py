"""Makes a project for high-level synthesis of a network, with hls4ml."""

from pathlib import Path
from typing import Any

from .refusal import Refusal


def work(job: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG001
    """Refuse: this flow is not there yet."""
    raise Refusal("`flow: hls` is not part of this version", "set `flow: rtl`")
