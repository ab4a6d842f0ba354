"""The sources of CMSIS-NN, as a package carries them; none of them are edgeflow's."""

import re
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

from edgeflow.errors import MissingToolError

_PACKAGE, _FOLDER = "bakenn", "backend/cmsis_nn/vendor"
_HEADERS = (
    "cmsis_nn/Include/arm_nnfunctions.h",
    "cmsis_nn/Include/arm_nnsupportfunctions.h",
    "cmsis_nn/Include/arm_nn_math_types.h",
    "cmsis_nn/Include/arm_nn_types.h",
    "cmsis_core/Include/cmsis_compiler.h",
    "cmsis_core/Include/cmsis_gcc.h",
)
_LICENSES = {
    "CMSIS-NN-LICENSE.txt": "cmsis_nn/LICENSE.txt",
    "CMSIS-NN-PROVENANCE.md": "cmsis_nn/BAKENN_PROVENANCE.md",
}
_ROWS = ("arm_nn_mat_mult_nt_t_s8",)
_COLUMNS = ("arm_q7_to_q15_with_offset",)
_CONVOLUTION = (*_COLUMNS, "arm_nn_mat_mult_kernel_s8_s16", "arm_convolve_s8")
_FUNCTIONS: dict[str, tuple[str, ...]] = {
    "nn_cmsis_average_pool": ("arm_avgpool_s8",),
    "nn_cmsis_conv": _CONVOLUTION,
    "nn_cmsis_dense": ("arm_nn_vec_mat_mult_t_s8", "arm_fully_connected_s8"),
    "nn_cmsis_depthwise": ("arm_depthwise_conv_s8",),
    "nn_cmsis_depthwise_3x3": ("arm_depthwise_conv_3x3_s8",),
    "nn_cmsis_depthwise_columns": (*_COLUMNS, "arm_depthwise_conv_s8_opt", "arm_depthwise_conv_s8"),
    "nn_cmsis_max_pool": ("arm_max_pool_s8",),
    "nn_cmsis_pointwise": (*_ROWS, "arm_convolve_1x1_s8_fast"),
    "nn_cmsis_pointwise_strided": (*_ROWS, "arm_convolve_1x1_s8"),
}
"""Files of what each kernel calls, and of what that calls."""

_PREFACE = """\
/*
 * Functions of CMSIS-NN, Copyright Arm Limited, one file after the other, each under its own
 * notice. They are taken from the package {package} unchanged; the licence lies beside this file.
 */
#if !defined(__arm__) && !defined(__GNUC_PYTHON__)
#define __GNUC_PYTHON__ /* its name for plain C, without instructions of Arm */
#define __RESTRICT
#endif
"""


def cmsis_files(kernels: Iterable[str], name: str) -> dict[str, str]:
    """Return the files that kernels by CMSIS-NN need, by name; none without such kernels.

    Args:
        kernels: names of all kernels of a network.
        name: prefix of the network's public names.

    Raises:
        MissingToolError: the package that carries the sources is not installed.
    """
    used = [function for kernel in kernels for function in _FUNCTIONS.get(kernel, ())]
    if not used:
        return {}
    texts = cmsis_sources()
    sources = [texts[f"{function}.c"] for function in dict.fromkeys(used)]
    preface = [_PREFACE.format(package=_PACKAGE), f'#include "{name}_cmsis_nn.h"\n']
    return {
        f"{name}_cmsis_nn.c": "\n".join([*preface, *sources]),
        f"{name}_cmsis_nn.h": _renamed(sources, name),
        **{name: text for name, text in texts.items() if not name.endswith(".c")},
    }


def _renamed(sources: Sequence[str], name: str) -> str:
    """Return a header that gives all functions the prefix of the network."""
    functions = sorted({one for text in sources for one in re.findall(r"\b(arm_\w+)\s*\(", text)})
    lines = [f"#define {function} {name}_{function}" for function in functions]
    return "\n".join(
        ["/* So that several networks, or CMSIS-NN itself, link as well. */", *lines, ""]
    )


def cmsis_sources() -> dict[str, str]:
    """Return all of CMSIS-NN's files that the package carries, and their licence, by name.

    Raises:
        MissingToolError: the package is not installed.
    """
    folder = _folder()
    paths = [folder / header for header in _HEADERS]
    paths += sorted(folder.glob("cmsis_nn/Source/*/arm_*.c"))
    licenses = {own: (folder / path).read_text() for own, path in _LICENSES.items()}
    return {path.name: path.read_text() for path in paths} | licenses


def _folder() -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingToolError(
            f"`kernels: cmsis-nn` takes its sources from {_PACKAGE}, which is not installed",
            hint="run `pip install 'edgeflow-ml[cmsis-nn]'`, or choose `kernels: portable`",
        )
    return Path(spec.origin).parent / _FOLDER
