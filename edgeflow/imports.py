"""Imports that are left out, or come later, where a library takes more than is asked of it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Let imports find no such packages, for libraries that take them only where they can."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # as import's reference says
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def import_later(*names: str) -> None:
    """Let packages be imported when something of them is asked for; those not there stay so.

    `importlib.util.LazyLoader` imports them when anyone asks where they are, as `inspect` asks
    all modules.
    """
    for name in names:
        spec = None if name in sys.modules else find_spec(name)
        if spec is not None and spec.loader is not None:
            module = module_from_spec(spec)
            del module.__path__  # so that the import of a part imports the package first
            module.__class__ = _Later
            sys.modules[name] = module


_one_at_a_time = RLock()
_begun: set[str] = set()


class _Later(ModuleType):
    """A package that is imported by what is not found in it."""

    def __getattr__(self, name: str) -> Any:
        with _one_at_a_time:
            if type(self) is _Later:
                if self.__name__ in _begun:  # by this thread, which just imports it
                    raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
                self._import()
        return getattr(self, name)

    def _import(self) -> None:
        spec: Any = self.__spec__
        _begun.add(self.__name__)
        self.__path__ = spec.submodule_search_locations or []
        spec.loader.exec_module(self)
        self.__class__ = ModuleType  # type: ignore[assignment]  # it is no more than that now
