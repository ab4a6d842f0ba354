"""What a compiler says that it made, judged before it is believed."""

import sys
from collections.abc import Mapping
from pathlib import Path

from edgeflow.errors import CompileError
from edgeflow.targets.base import CompiledModel, Target, own_figures


def require_sound(name: str, target: type[Target], compiled: CompiledModel, folder: Path) -> None:
    """Check a compiler's outcome where it arises, so that later steps may rely on it.

    Args:
        name: target, model and recipe, for messages.
        target: whose compiler it is.
        compiled: what the compiler says.
        folder: what it was given, with the files that it made.

    Raises:
        CompileError: the model is no regular file in `folder`, or a figure or a count of operators
            is no number that it may be.
    """
    if compiled.model not in _regular_files(folder):
        raise CompileError(
            f"the compiler of {name} made no regular file {compiled.model!r}, which it names as "
            "the model",
            hint=f"correct target kind {target.name!r}, or the worker that writes its files",
        )
    odd = [*_odd_figures(target, compiled), *_odd_operators(compiled.operators)]
    if odd:
        raise CompileError(
            f"the compiler of {name} gave figures that are not declared or no finite numbers >= 0, "
            f"or operators that are no counts: {', '.join(odd)}",
            hint=f"correct target kind {target.name!r}: its `figures` name what it may give",
        )


def size_bytes(compiled: CompiledModel, folder: Path) -> int:
    """Return the size of what goes to a device, of the folder that a compiler was given."""
    going = _regular_files(folder) - {*compiled.host_files}
    return sum((folder / name).stat().st_size for name in going)


def _regular_files(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def _odd_figures(target: type[Target], compiled: CompiledModel) -> list[str]:
    declared = {figure.name for figure in own_figures(target)}
    if not isinstance(compiled.figures, Mapping):
        return [f"figures {compiled.figures!r}"]
    return [
        f"{key} {value!r}"
        for key, value in compiled.figures.items()
        if key not in declared or not _is_amount(value)
    ]


def _odd_operators(operators: object) -> list[str]:
    if not isinstance(operators, Mapping):
        return [f"operators {operators!r}"]
    return [
        f"operators {place!r} {count!r}"
        for place, count in operators.items()
        if not isinstance(place, str) or type(count) is not int or count < 0
    ]


def _is_amount(value: object) -> bool:
    """Return whether a value is a number that JSON can hold, and not negative, as no figure is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= sys.float_info.max
