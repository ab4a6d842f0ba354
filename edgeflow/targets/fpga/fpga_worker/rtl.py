"""Makes Verilog of a fixed-point network with da4ml, and simulates it."""

from pathlib import Path
from typing import Any

from .refusal import Refusal


def work(job: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG001
    """Refuse: this flow is not there yet."""
    raise Refusal("`flow: rtl` is not part of this version", "choose another target")
