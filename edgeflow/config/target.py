"""Targets: a class of hardware each; their options are defined in the target's own file."""

import functools
import operator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field

from edgeflow import plugins


def options_class(kind: str) -> type[BaseModel]:
    """Return the pydantic model of a target kind's options."""
    options: type[BaseModel] = plugins.load(plugins.TARGETS, kind).Options
    return options


def _any_target() -> Any:
    """Return the union of the options of all targets that can be imported, told apart by `kind`."""
    classes = [options_class(kind) for kind in plugins.available(plugins.TARGETS)]
    union = functools.reduce(operator.or_, classes)
    return Annotated[union, Field(discriminator="kind")] if len(classes) > 1 else union


if TYPE_CHECKING:
    Target = BaseModel
else:
    Target = _any_target()


def target_kind(target: BaseModel) -> str:
    """Return the `kind` of a parsed target."""
    return str(getattr(target, "kind"))  # noqa: B009  # every Options has it; the base has not
