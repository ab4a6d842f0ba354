"""Which inputs and outputs of a file are used, and in what order.

Inputs take the order of the dataset's. The output that the task judges comes first.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgeflow.dataset.tensors import OUTPUT
from edgeflow.dataset.view import DatasetFacts
from edgeflow.errors import CompileError
from edgeflow.imported.shapes import Sizes, bound, told
from edgeflow.tasks.registry import task_of

Inputs = str | Mapping[str, str] | None
"""Of a model's key `input`: the file's name of the sample, or that of each of the dataset's."""
Outputs = str | Sequence[str] | None
"""Of a model's key `output`: the one to keep, or several, the first of which is judged."""


def chosen(what: str, names: Sequence[str], wanted: str | None, inner: Iterable[str] = ()) -> str:
    """Return the name of the input or output to use.

    Args:
        what: ``input`` or ``output``, which is the option's name too.
        names: those that the model has.
        wanted: the option's value.
        inner: names of tensors or layers within, which the option may name as well.

    Raises:
        CompileError: there are several and none is named, or none has the name.
    """
    listed = ", ".join(map(repr, names))
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted is None:
        raise CompileError(
            f"it has {len(names)} {what}s: {listed}" if names else f"it has no {what}",
            hint=f"choose one with the model's key `{what}`" if names else "export it with one",
        )
    if wanted in names or wanted in inner:
        return wanted
    raise CompileError(
        f"it has no {what} {wanted!r}, only {listed}",
        hint=f"correct the model's key `{what}`, or leave it out where there is one {what}",
    )


def chosen_inputs(names: Sequence[str], wanted: Inputs, dataset: Sequence[str]) -> list[str]:
    """Return the file's names of the dataset's inputs, in the order of the latter.

    Args:
        names: of the file's inputs.
        wanted: the option's value.
        dataset: names of the dataset's inputs.

    Raises:
        CompileError: a name is not there, or is not given where it is needed.
    """
    if len(dataset) == 1 and not isinstance(wanted, Mapping):
        return [chosen("input", names, wanted)]
    given = wanted if isinstance(wanted, Mapping) else {}
    unknown = [name for name in given if name not in dataset]
    if unknown or isinstance(wanted, str):
        raise CompileError(
            f"the dataset has the inputs {', '.join(map(repr, dataset))}, and the model's key "
            f"`input` names {', '.join(map(repr, unknown)) or repr(wanted)}",
            hint="write the file's name of each: "
            f"`input: {{{', '.join(f'{name}: NAME' for name in dataset)}}}`",
        )
    return [_input(name, given.get(name, name), names) for name in dataset]


def _input(name: str, wanted: str, names: Sequence[str]) -> str:
    found = [one for one in names if wanted in (one, _plain(one))]
    if found:
        return found[0]
    raise CompileError(
        f"it has no input {wanted!r}, only {', '.join(map(repr, names))}",
        hint=f"say which takes the dataset's input {name!r}: `input: {{{name}: NAME}}`",
    )


def _plain(name: str) -> str:
    """Return the key in a SavedModel's signature that a tensor is named after."""
    return name.removeprefix("serving_default_").removesuffix(":0")


def chosen_outputs(names: Sequence[str], wanted: Outputs, inner: Iterable[str] = ()) -> list[str]:
    """Return the names of the outputs to keep: those asked for, or all.

    Args:
        names: of the file's outputs.
        wanted: the option's value.
        inner: names of tensors or layers within, which the option may name as well.

    Raises:
        CompileError: there is none, or none has the name.
    """
    if wanted is None and len(names) > 1:
        return list(names)
    if wanted is None or isinstance(wanted, str):
        return [chosen("output", names, wanted, inner)]
    inside = list(inner)
    found = [chosen("output", names, one, inside) for one in wanted]
    if len(set(found)) < len(found):
        raise CompileError(
            f"the model's key `output` names one twice: {', '.join(found)}",
            hint="name each output to keep once, that which the task judges first",
        )
    return found


def judged_first(
    names: Sequence[str], shapes: Sequence[Sizes], wanted: Outputs, facts: DatasetFacts
) -> list[int]:
    """Return the positions of outputs in a new order: that which the task judges is the first.

    Args:
        names: of the outputs.
        shapes: of each, without the batch.
        wanted: the option's value; where it lists several, that is their order.
        facts: of the dataset.

    Raises:
        CompileError: it is not clear which one is judged.
    """
    places = list(range(len(names)))
    if len(names) == 1 or wanted is not None:
        return places
    task = task_of(facts)
    fits = [place for place in places if bound(shapes[place], task.output_shape(facts)) is not None]
    if len(fits) == 1:
        return [*fits, *(place for place in places if place not in fits)]
    raise CompileError(
        f"it has {len(names)} outputs: {', '.join(map(repr, names))}, of shape "
        f"{', '.join(map(told, shapes))}; {len(fits)} of them can be the task's",
        hint="list those to keep with the model's key `output`, the one that the task judges "
        "first; or name it alone",
    )


def require_one_sample(names: Sequence[str], shapes: Sequence[Sequence[int]]) -> None:
    """Refuse outputs that are not those of one sample.

    Args:
        names: of the outputs.
        shapes: of each for one sample, with its batch.

    Raises:
        CompileError: the batch of one is none.
    """
    for name, shape in zip(names, shapes, strict=True):
        if not shape or shape[0] != 1:
            raise CompileError(
                f"output {name!r} has shape {told(shape)} for one sample: its batch is not 1",
                hint="leave it out: list the outputs to keep with the model's key `output`",
            )


def safe(names: Sequence[str]) -> list[str]:
    """Return names for outputs that files may have: letters, digits and ``._-``, all different."""
    if len(names) == 1:
        return [OUTPUT]
    found: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9._-]", "_", _plain(name)).lstrip(".-")[:60] or OUTPUT
        number = 1
        while plain in found:
            number, plain = number + 1, f"{plain}_{number}"
        found.append(plain)
    return found


def reordered(items: Sequence[Any], places: Iterable[int]) -> list[Any]:
    """Return items in the order of `judged_first`."""
    return [items[place] for place in places]
