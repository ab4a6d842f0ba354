"""Targets: a class of hardware each; their options are defined in the target's own file."""

import functools
import operator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field

from edgeflow import plugins
from edgeflow.toolchain.base import Toolchain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgeflow.targets.base import Target as TargetClass


def target_class(kind: str) -> "type[TargetClass]":
    """Return the class of a target kind, found by its entry point.

    Raises:
        KeyError: there is no such kind.
        ImportError: its module cannot be imported.
    """
    found: type[TargetClass] = plugins.load(plugins.TARGETS, kind)
    return found


def target_classes() -> "Mapping[str, type[TargetClass]]":
    """Return the classes of all target kinds that can be imported, by kind."""
    return plugins.available(plugins.TARGETS)


def _any_target() -> Any:
    """Return the union of the options of all targets that can be imported, told apart by `kind`."""
    classes = [target.Options for target in target_classes().values()]
    union = functools.reduce(operator.or_, classes)
    return Annotated[union, Field(discriminator="kind")] if len(classes) > 1 else union


if TYPE_CHECKING:
    Target = BaseModel
else:
    Target = _any_target()


def toolchain_of(target: "type[TargetClass]", options: BaseModel) -> Toolchain:
    """Return what a target compiles with; edgeflow's own environment if it names nothing else."""
    declared = getattr(target, "toolchain", None)
    return Toolchain() if declared is None else declared(options)


def target_slice(target: BaseModel) -> dict[str, Any]:
    """Return the options of a target that its output may depend on: not where it compiles."""
    return target.model_dump(mode="json", exclude={"compile_host"})


def target_kind(target: BaseModel) -> str:
    """Return the `kind` of a parsed target."""
    return str(getattr(target, "kind"))  # noqa: B009  # every Options has it; the base has not
