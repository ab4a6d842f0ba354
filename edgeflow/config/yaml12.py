"""A YAML loader with the core schema of YAML 1.2, which is what editors check against."""

import re
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

_CORE = (
    ("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?(0|[1-9][0-9]*)$", list("-+0123456789")),
    (
        "float",
        r"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan)$",
        list("-+.0123456789"),
    ),
    ("merge", r"^<<$", ["<"]),
)


class _Core(Resolver):
    """1.2's scalars: 1e-3 is a number, `no` and 2024-01-01 are text."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  # the class attribute that PyYAML reads


for _name, _pattern, _first in _CORE:
    _Core.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_pattern), _first)


class _Plain(_Core, yaml.SafeLoader):
    pass


def read(text: str) -> tuple[yaml.Node | None, object]:
    """Return the root of a document and its value.

    libyaml takes a tenth of the time, but says less of what is wrong, and takes tabs, which
    Snakemake does not.

    Raises:
        yaml.YAMLError: it is not YAML.
        ValueError: a value is not what its tag says.
        RecursionError: it is nested too deep.
    """
    if yaml.__with_libyaml__ and "\t" not in text:
        try:
            return _parsed(_fast(text))
        except (yaml.YAMLError, ValueError):
            pass  # told below
    return _parsed(_Plain(text))


def _fast(text: str) -> Any:
    """Return a loader that takes libyaml's events, and composes them with a limit of depth."""
    parser: Any = yaml.cyaml.CParser  # type: ignore[attr-defined]

    class Fast(Composer, parser, SafeConstructor, _Core):  # type: ignore[misc]
        def __init__(self) -> None:
            parser.__init__(self, text)
            Composer.__init__(self)
            SafeConstructor.__init__(self)
            _Core.__init__(self)

    return Fast()


def _parsed(loader: Any) -> tuple[yaml.Node | None, object]:
    root = loader.get_single_node()
    return root, None if root is None else loader.construct_document(root)
