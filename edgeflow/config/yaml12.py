"""A YAML loader with the core schema of YAML 1.2, which is what editors check against."""

import re

import yaml

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


class Loader(yaml.SafeLoader):
    """PyYAML with 1.2's scalars: 1e-3 is a number, `no` and 2024-01-01 are text."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  # the class attribute that PyYAML reads


for _name, _pattern, _first in _CORE:
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(_pattern), _first)
