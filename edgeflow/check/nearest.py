"""What would fit a target where a network does not: a recipe, or fewer channels."""

import inspect
from collections.abc import Iterator
from typing import Any

from edgeflow import plugins
from edgeflow.check.networks import known_facts
from edgeflow.check.sections import valid_models
from edgeflow.check.suits import deployed_recipes
from edgeflow.check.verdicts import Case, Verdict, judging_target, untrained
from edgeflow.config.fit import clashes, valid_recipes
from edgeflow.config.model import Architecture, architecture_module
from edgeflow.config.raw import Entry
from edgeflow.config.target import capabilities_of
from edgeflow.errors import CompileError
from edgeflow.targets.base import Fit, Memory

_WIDTHS = ("width", "alpha", "units")
"""Options of architectures that widen all layers."""
_STEPS = 4
"""Widths to try: each takes a second or two."""
_LEAST = 4
"""Smallest number of channels to try."""


def hint_for(raw: Entry, case: Case, verdict: Verdict) -> str:
    """Return what to do about a network that does not fit: what does fit, if that is found."""
    if isinstance(verdict, CompileError):
        return verdict.hint or ""
    nearest = [*_recipes_that_fit(raw, case), *_width_that_fits(raw, case, verdict)]
    return "; or ".join(nearest) or verdict.hint


def _recipes_that_fit(raw: Entry, case: Case) -> Iterator[str]:
    """Yield the first other recipe of the configuration with which the network fits."""
    model, target = valid_models(raw)[case.model], judging_target(raw, case.target)
    facts = known_facts(raw, model.dataset)
    if model.architecture is None or facts is None or target is None:
        return
    for name, recipe in valid_recipes(raw).items():
        # Weights alone become fewer by no other stage.
        if recipe.prune_channels and not list(clashes(recipe, capabilities_of(*target))):
            verdict = untrained(raw, case.target, model.architecture, facts, recipe)
            if isinstance(verdict, Fit) and not verdict.problem:
                yield f"deploy recipe {name!r}, with which it fits ({sizes(verdict)})"
                return


def _width_that_fits(raw: Entry, case: Case, verdict: Fit) -> Iterator[str]:
    """Yield the largest narrower network that was found to fit."""
    model, recipe = valid_models(raw)[case.model], deployed_recipes(raw, case.model)[case.recipe]
    facts = known_facts(raw, model.dataset)
    if model.architecture is None or facts is None:
        return
    best, low, high = None, 0.0, 1.0
    factor = verdict.share or 0.25
    for _ in range(_STEPS):
        narrow = _narrowed(model.architecture, factor)
        if narrow is None:
            return
        found = untrained(raw, case.target, narrow, facts, recipe)
        if isinstance(found, Fit) and not found.problem:
            best, low = (narrow, found), factor
        else:
            high = factor
        factor = (low + high) / 2
    if best is not None:
        changed = _differing(model.architecture, best[0])
        yield f"set `{changed}`, with which it fits ({sizes(best[1])})"


def _narrowed(architecture: Architecture, factor: float) -> Architecture | None:
    """Return an architecture with fewer channels; None where no option of it says how many."""
    path = f"{architecture_module(architecture.name)}:"
    build = plugins.import_path(path + (architecture.name.partition(":")[2] or "build"))
    parameters = inspect.signature(build).parameters
    for option in _WIDTHS:
        if option in parameters:
            given = architecture.options.get(option, parameters[option].default)
            options = {**architecture.options, option: _scaled(given, factor)}
            return Architecture.model_validate({"name": architecture.name, **options})
    return None


def _scaled(value: Any, factor: float) -> Any:
    if isinstance(value, list | tuple):
        return [_scaled(one, factor) for one in value]
    if isinstance(value, int):
        return max(_LEAST, int(value * factor) // _LEAST * _LEAST)
    return round(value * factor, 3)


def _differing(before: Architecture, after: Architecture) -> str:
    changed = {key: it for key, it in after.options.items() if before.options.get(key) != it}
    return ", ".join(f"{key}: {it}" for key, it in changed.items())


def sizes(fit: Fit) -> str:
    """Return what a network takes, in one line."""
    parts = [f"{one.name} {_amount(one)} kB" for one in fit.memories]
    about = "" if fit.exact else ", estimated"
    return f"{', '.join(parts)}, {fit.macs:,} MACs{about}"


def _amount(memory: Memory) -> str:
    needed, limit = memory.needed_bytes / 1024, memory.limit_bytes
    return f"{needed:,.1f}" if limit is None else f"{needed:,.1f} of {limit / 1024:,.1f}"
