"""Targets: a class of hardware each; their options are defined in the target's own file."""

import functools
import operator
from typing import TYPE_CHECKING, Annotated, Any, get_args

from pydantic import BaseModel, Field, ValidationError

from edgeflow import plugins
from edgeflow.figures.figure import Figure
from edgeflow.toolchain.base import Toolchain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgeflow.targets.base import Capabilities, Runtime
    from edgeflow.targets.base import Target as TargetClass


def target_class(kind: str) -> "type[TargetClass]":
    """Return the class of a target kind, found by its entry point.

    Raises:
        KeyError: there is no such kind.
        TypeError: it is no target.
        Exception: whatever its module raises.
    """
    found: type[TargetClass] = plugins.load(plugins.TARGETS, kind)
    if reason := _unfit(kind, found):
        raise TypeError(reason)
    return found


def target_classes() -> "Mapping[str, type[TargetClass]]":
    """Return the classes of all target kinds that can be used, by kind."""
    found = plugins.available(plugins.TARGETS)
    return {kind: target for kind, target in found.items() if not _unfit(kind, target)}


def broken_targets() -> dict[str, str]:
    """Return why the other registered target kinds cannot be used, by kind."""
    found = plugins.available(plugins.TARGETS).items()
    unfit = {kind: reason for kind, target in found if (reason := _unfit(kind, target))}
    return {**plugins.broken(plugins.TARGETS), **unfit}


def _unfit(kind: str, target: Any) -> str:
    """Return why what an entry point names is no target; empty if it is one."""
    from edgeflow.targets.base import Capabilities  # as every target does before it gets here

    options, figures = getattr(target, "Options", None), getattr(target, "figures", ())
    if getattr(target, "name", None) != kind:
        return f"its `name` is not {kind!r}"
    if not isinstance(getattr(target, "capabilities", None), Capabilities):
        return "its `capabilities` are no Capabilities"
    if not isinstance(options, type) or not issubclass(options, BaseModel):
        return "its `Options` are no pydantic model"
    field = options.model_fields.get("kind")
    if field is None or get_args(field.annotation) != (kind,):
        return f"its `Options` have no `kind: Literal[{kind!r}]`"
    if not isinstance(figures, tuple) or not all(isinstance(each, Figure) for each in figures):
        return "its `figures` are no tuple of Figure"
    return ""


def _any_target() -> Any:
    """Return the union of the options of all targets that can be used, told apart by `kind`."""
    classes = [target.Options for target in target_classes().values()]
    union = functools.reduce(operator.or_, classes)
    return Annotated[union, Field(discriminator="kind")] if len(classes) > 1 else union


if TYPE_CHECKING:
    Target = BaseModel
else:
    Target = _any_target()


def runtime_of_entry(entry: "Mapping[str, Any]") -> "Runtime | None":
    """Return what runs a target's models, of its entry in a raw configuration; None if invalid."""
    target = target_classes().get(str(entry.get("kind")))
    if target is None:
        return None
    try:
        return target.runtime(target.Options.model_validate(dict(entry)))
    except ValidationError:
        return None  # its section reports it


def capabilities_of(target: "type[TargetClass]", options: BaseModel | None) -> "Capabilities":
    """Return what a target takes with its options; by None, with any that it may have."""
    narrowed = getattr(target, "capabilities_with", None)
    found: Capabilities = (
        target.capabilities if narrowed is None or options is None else narrowed(options)
    )
    return found


def capabilities_of_entry(
    target: "type[TargetClass]", entry: "Mapping[str, Any]"
) -> "Capabilities":
    """Return what a target takes with its entry in a raw configuration, as far as that is valid."""
    if not hasattr(target, "capabilities_with"):
        return target.capabilities
    try:
        return capabilities_of(target, target.Options.model_validate(dict(entry)))
    except ValidationError:
        return target.capabilities  # its section reports it


def toolchain_of(target: "type[TargetClass]", options: BaseModel) -> Toolchain:
    """Return what a target compiles with; edgeflow's own environment if it names nothing else."""
    declared = getattr(target, "toolchain", None)
    return Toolchain() if declared is None else declared(options)


def needs_validation(target: "type[TargetClass]", options: BaseModel) -> bool:
    """Return whether a target's compiler judges its own work on the validation set."""
    declared = getattr(target, "needs_validation", None)
    return declared is not None and bool(declared(options))


def target_slice(target: BaseModel) -> dict[str, Any]:
    """Return the options of a target that its output may depend on: not where it compiles."""
    return target.model_dump(mode="json", exclude={"compile_host"})


def target_kind(target: BaseModel) -> str:
    """Return the `kind` of a parsed target."""
    return str(getattr(target, "kind"))  # noqa: B009  # every Options has it; the base has not
