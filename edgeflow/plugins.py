"""Named plug-ins, found by entry point or by import path, never by a list in the code."""

import functools
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, get_origin

from pydantic import BaseModel, ConfigDict, Field, Strict, create_model

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


@cache
def _loaded(group: str) -> tuple[dict[str, Any], dict[str, str]]:
    good: dict[str, Any] = {}
    bad: dict[str, str] = {}
    for name in names(group):
        try:
            good[name] = load(group, name)
        except (Exception, SystemExit) as error:  # someone else's module may raise anything
            bad[name] = f"{type(error).__name__}: {error}"
    return good, bad


def available(group: str) -> dict[str, Any]:
    """Return the plug-ins of a group that can be imported, by name."""
    return _loaded(group)[0]


def broken(group: str) -> dict[str, str]:
    """Return why the other plug-ins of a group cannot be imported, by name."""
    return _loaded(group)[1]


def module_of(group: str, name: str) -> str:
    """Return the dotted module that defines the plug-in `name`, without importing it."""
    return _entries(group)[name].module


def find_module(module: str) -> ModuleSpec | None:
    """Return where a dotted module lies, without running any of its packages; None if nowhere."""
    _see_working_folder()
    package = module.rpartition(".")[0]
    folders = _folders(package, tuple(sys.path)) if package else None
    return _spec(module, folders)


@cache
def _folders(package: str, path: tuple[str, ...]) -> list[str]:  # part of the key
    """Return where the modules of a package lie, on an import path; nothing if there is none."""
    above = package.rpartition(".")[0]
    spec = _spec(package, _folders(above, path) if above else None)
    return list(spec.submodule_search_locations or ()) if spec else []


def _spec(name: str, folders: list[str] | None) -> ModuleSpec | None:
    if folders == []:
        return None  # the parent is no package
    found = (finder.find_spec(name, folders) for finder in sys.meta_path)
    return next((spec for spec in found if spec is not None), None)


def _see_working_folder() -> None:
    """Let a user's modules beside config.yaml be imported; last, so that they shadow nothing."""
    folder = str(Path.cwd())
    if folder not in sys.path and "" not in sys.path:
        sys.path.append(folder)


class _FromSource(SourceFileLoader):
    """Compiles a module each time; no .pyc is read or written."""

    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _WorkedOn:
    """Finds modules that are neither Python's nor installed, to be compiled from their source.

    Python judges a .pyc by time and size of its source, so a module that was replaced by another
    of equal size and time would run as it was, under the fingerprint of what it is.
    """

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name.partition(".")[0] in {*sys.stdlib_module_names, "edgeflow"}:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and type(spec.loader) is SourceFileLoader and not is_installed(spec.origin or ""):
            spec.loader = _FromSource(name, spec.loader.path)
        return spec


def is_installed(path: str) -> bool:
    """Return whether a module's file lies where packages are installed."""
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(path).parts)


def _compile_what_is_worked_on() -> None:
    if _WorkedOn not in sys.meta_path:
        sys.meta_path.insert(sys.meta_path.index(PathFinder), _WorkedOn)


def import_path(path: str) -> Any:
    """Return the object that ``package.module:name`` stands for.

    Raises:
        ImportError: no such module, or no such name in it.
    """
    _see_working_folder()
    _compile_what_is_worked_on()
    module, _, attribute = path.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except AttributeError as error:
        raise ImportError(f"{module} has no {attribute!r}") from error


@functools.cache
def options_model(function: Callable[..., object], title: str) -> type[BaseModel]:
    """Return a pydantic model of a function's keyword-only parameters.

    A signature is then the single place where an option's name, type and default stand, and
    the docstring's ``name: text`` lines the place where its meaning stands.
    """
    fields: dict[str, Any] = {
        name: (_lists_allowed(parameter.annotation), _field(function, parameter))
        for name, parameter in inspect.signature(function, eval_str=True).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    return create_model(title, __config__=config, **fields)


def _lists_allowed(annotation: Any) -> Any:
    # YAML and JSON have lists only, which strict validation would not take for a tuple.
    return Annotated[annotation, Strict(False)] if get_origin(annotation) is tuple else annotation


def _field(function: Callable[..., object], parameter: inspect.Parameter) -> Any:
    text = re.search(rf"^ *{parameter.name}: (.+)$", inspect.getdoc(function) or "", re.MULTILINE)
    required = parameter.default is inspect.Parameter.empty
    return Field(
        default=... if required else parameter.default, description=text[1] if text else None
    )
