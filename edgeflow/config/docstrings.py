"""What the strings below fields say of them, read when somebody asks.

Pydantic can read them too, but for each class when it is made: a tenth of a second of every start.
"""

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise

from pydantic import BaseModel


@cache
def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Return what a model's source says of its fields, by their names."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            found |= _of_class(each)
    return found


def _of_class(model: type[BaseModel]) -> dict[str, str]:
    tree = _classes(model.__module__).get(model.__qualname__)
    body = tree.body if tree else []
    return {
        field.target.id: inspect.cleandoc(text)
        for field, below in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if (text := _text(below))
    }


def _text(statement: ast.stmt) -> str | None:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


@cache
def _classes(module: str) -> dict[str, ast.ClassDef]:
    """Return the classes of a module, by name; those in functions or classes have no place."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (OSError, TypeError):  # no source is there
        return {}
    return {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}
