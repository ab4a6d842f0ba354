"""Any kernels can stand in one file: no two of them give different things one name."""

import subprocess
from importlib import resources
from pathlib import Path

import pytest

from edgeflow.targets.mcu.emit import kernels
from tests.unit.targets.mcu.identity import STRICT


@pytest.mark.parametrize("linkage", ["NN_SHARED", "NN_INLINE"])
def test_all_kernels_together(linkage: str, tmp_path: Path) -> None:
    files = resources.files("edgeflow.targets.mcu").joinpath("kernels").iterdir()
    names = sorted(f"nn_{Path(file.name).stem}" for file in files)
    own = [name for name in names if not name.startswith("nn_cmsis")]  # those need Arm's headers
    assert {"nn_add", "nn_conv", "nn_conv_simd", "nn_dense"} <= {*own}
    text = f"#include <stdint.h>\n#define NN_KERNEL {linkage}\n{kernels(own)}"
    (tmp_path / "all.c").write_text(f"{text}\nint main(void) {{ return 0; }}\n")
    command = ["cc", *STRICT, "-Wno-unused-function", "-fsyntax-only", "all.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
