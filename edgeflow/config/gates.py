"""Gates: limits on the metrics of tasks, the figures of the table, and those of targets."""

import functools
import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model

from edgeflow.config.base import Section
from edgeflow.config.target import target_classes
from edgeflow.figures.figure import Figure
from edgeflow.figures.table import FIGURES
from edgeflow.tasks.registry import METRIC_FIGURES

_USUAL = (*METRIC_FIGURES, *FIGURES)
"""What every target has, as far as its devices can tell it."""


def figures_of(kinds: Iterable[str]) -> dict[str, Figure]:
    """Return the tasks' metrics, the table's figures and those that target kinds declare, by name.

    What a target declares by the name of a figure of the table counts in its stead: it measures
    that by itself, for example energy by a probe.
    """
    return {figure.name: figure for figure in (*_USUAL, *_declared(kinds))}


def all_figures() -> dict[str, Figure]:
    """Return the figures of tasks, of the table and of all targets that can be used, by name.

    Where several have one name, it is the first: the table's, if it is there.
    """
    found: dict[str, Figure] = {}
    for figure in all_declarations():
        found.setdefault(figure.name, figure)
    return found


def all_declarations() -> tuple[Figure, ...]:
    """Return what tasks, the table and all targets that can be imported declare of figures.

    Targets may declare one name in different ways; each counts for its own devices.
    """
    return (*_USUAL, *_declared(target_classes()))


def _declared(kinds: Iterable[str]) -> list[Figure]:
    classes = target_classes()
    return [figure for kind in kinds for figure in getattr(classes.get(kind), "figures", ())]


def by_gate(figures: Iterable[Figure]) -> dict[str, list[Figure]]:
    """Return the figures that each gate limits."""
    limited: dict[str, list[Figure]] = {}
    for figure in figures:
        if figure.gate:
            limited.setdefault(figure.gate, []).append(figure)
    return limited


def gates_model(figures: Iterable[Figure]) -> type[Section]:
    """Return the section of a configuration that has a key for each gate.

    Figures of one name give the gates and limits that any of them allows, so that no target
    narrows what another allows.
    """
    fields: dict[str, Any] = {
        gate: (_limit(same) | None, Field(default=None, description=same[0].description))
        for gate, same in by_gate(figures).items()
    }
    doc = "Limits on figures of the device; a gate that is absent is not checked."
    return create_model("Gates", __base__=Section, __doc__=doc, __module__=__name__, **fields)


def _limit(figures: Iterable[Figure]) -> Any:
    """Return a type that takes what the limit of any of the figures takes."""
    limits: list[Any] = []
    for figure in figures:
        if figure.limit not in limits:
            limits.append(figure.limit)
    return functools.reduce(operator.or_, limits)


if TYPE_CHECKING:
    Gates = Section
else:
    Gates = gates_model(all_declarations())
