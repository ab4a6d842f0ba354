"""What a part number says of a chip."""

import re

_FAMILIES = (
    # AMD's part numbers, DS180, DS189, DS190 (7 series), DS890 (UltraScale), DS891 (Zynq US+).
    (re.compile(r"xc7[aksvz]", re.IGNORECASE), "xc7"),
    (re.compile(r"xc(ku|vu)\d+p|xczu|xcau|xck26|xcu\d", re.IGNORECASE), "xcup"),
    (re.compile(r"xc(ku|vu)\d", re.IGNORECASE), "xcu"),
)


def family_of(part: str) -> str | None:
    """Return the family of a part as yosys' `synth_xilinx` calls it; None where it has none."""
    return next((family for pattern, family in _FAMILIES if pattern.match(part)), None)


def is_amd(part: str) -> bool:
    """Return whether a part is AMD's: commercial, for cars or for defense."""
    return re.match(r"x[caq]", part, re.IGNORECASE) is not None
