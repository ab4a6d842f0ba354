"""What a network takes of any microcontroller."""

from pathlib import Path

from edgeflow.errors import CompileError
from edgeflow.targets.lint import operators_of
from edgeflow.targets.mcu.generate import generate


def needs(model: Path) -> str:
    """Return the memory that an int8 .tflite takes as C, or why it cannot be; empty for others."""
    if not any("int8" in one.dtypes for one in operators_of(model)):
        return ""
    try:
        sources = generate(model)
    except CompileError as error:
        return f"cannot be C: {error.message}"
    return (
        f"needs {sources.weights_bytes:,} bytes of flash for constants and "
        f"{sources.ram_bytes:,} of RAM for working memory, input and output, and more for code "
        "and stack"
    )
