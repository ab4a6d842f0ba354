"""Gates: limits on the figures of the table and on those that targets declare."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model

from edgeflow.config.base import Section
from edgeflow.config.target import target_classes
from edgeflow.figures.figure import Figure
from edgeflow.figures.table import FIGURES


def figures_of(kinds: Iterable[str]) -> dict[str, Figure]:
    """Return the table's figures and those that target kinds declare, by name.

    What a target says of a figure of the table, such as another kind, counts for that target.
    """
    classes = target_classes()
    own = [figure for kind in kinds for figure in getattr(classes.get(kind), "figures", ())]
    return {figure.name: figure for figure in (*FIGURES, *own)}


def all_figures() -> dict[str, Figure]:
    """Return the figures of the table and of all targets that can be imported, by name."""
    return figures_of(target_classes())


def _gates() -> type[Section]:
    fields: dict[str, Any] = {
        figure.gate: (figure.limit | None, Field(default=None, description=figure.description))
        for figure in all_figures().values()
        if figure.gate
    }
    doc = "Limits on figures of the device; a gate that is absent is not checked."
    return create_model("Gates", __base__=Section, __doc__=doc, __module__=__name__, **fields)


if TYPE_CHECKING:
    Gates = Section
else:
    Gates = _gates()
