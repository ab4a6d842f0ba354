"""Named plug-ins, found by entry point or by import path, never by a list in the code."""

import importlib
import inspect
from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import BaseModel, ConfigDict, create_model

TARGETS = "edgeflow.targets"


@cache
def _entries(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


def names(group: str) -> list[str]:
    """Return the sorted names registered for an entry point group."""
    return sorted(_entries(group))


@cache
def load(group: str, name: str) -> Any:
    """Import and return the object registered as `name`.

    Raises:
        KeyError: there is no such name.
        ImportError: its module cannot be imported.
    """
    return _entries(group)[name].load()


def module_of(group: str, name: str) -> str:
    """Return the dotted module that defines the plug-in `name`, without importing it."""
    return _entries(group)[name].module


def import_path(path: str) -> Any:
    """Return the object that ``package.module:name`` stands for.

    Raises:
        ImportError: no such module, or no such name in it.
    """
    module, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except AttributeError as error:
        raise ImportError(f"{module} has no {attribute!r}") from error


def options_model(function: Callable[..., object], title: str) -> type[BaseModel]:
    """Return a pydantic model of a function's keyword-only parameters.

    A signature is then the single place where an option's name, type and default stand.
    """
    fields: dict[str, Any] = {
        name: (parameter.annotation, parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    return create_model(title, __config__=ConfigDict(extra="forbid", frozen=True), **fields)
