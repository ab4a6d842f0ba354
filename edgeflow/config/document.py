"""A YAML file as a plain value that still knows the line of every key."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from edgeflow.config.finding import Finding, Keys
from edgeflow.config.yaml12 import read
from edgeflow.errors import ConfigError, Problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """What a YAML file holds, and the nodes it was made from."""

    value: object
    root: yaml.Node | None = None

    def lines(self) -> Callable[[Keys], int | None]:
        """Return a function of keys: the 1-based line where the last, or its parent, stands."""
        children = functools.cache(_children)  # of one mapping many keys may be asked

        def line_of(keys: Keys) -> int | None:
            node, line = self.root, None
            for key in keys:
                pair = children(node).get(key if isinstance(node, yaml.SequenceNode) else str(key))
                if pair is None:
                    break
                line, node = pair[0].start_mark.line + 1, pair[1]
            return line

        return line_of

    def repeated(self) -> list[Finding]:
        """Return the keys that stand twice in one mapping, where PyYAML takes the last."""
        return list(_repeated(self.root, (), set()))


def require_project(path: Path) -> None:
    """Raise a ConfigError if a project's configuration is not there, with how to begin one."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        problem = Problem(path=path.name, message=f"no such file in {path.parent.absolute()}")
        hint = "run `edgeflow init DIR` to start a project, then commands in its folder"
        raise ConfigError([problem], source=str(path), hint=hint) from None
    except (OSError, ValueError):
        return  # reading it says what is wrong


def read_document(path: Path) -> Document:
    """Read a YAML file.

    Raises:
        ConfigError: it is not there, cannot be read, or is not YAML.
    """
    require_project(path)
    try:
        root, value = read(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise _unreadable(path, f"not YAML: {error.problem}", line) from error
    except RecursionError as error:
        raise _unreadable(path, "not usable: nested too deep") from error
    except (yaml.YAMLError, ValueError) as error:
        raise _unreadable(path, f"not YAML: {' '.join(str(error).split())}") from error
    return Document(value=value, root=root)


def _unreadable(path: Path, message: str, line: int | None = None) -> ConfigError:
    return ConfigError([Problem(path=path.name, message=message, line=line)], source=str(path))


def _children(node: yaml.Node | None) -> dict[int | str, tuple[yaml.Node, yaml.Node]]:
    """Return the nodes of each key and of its value; in a list both are the item."""
    if isinstance(node, yaml.MappingNode):
        # Of a key that stands twice the last one counts.
        return {pair[0].value: pair for pair in node.value if isinstance(pair[0].value, str)}
    if isinstance(node, yaml.SequenceNode):
        return {index: (item, item) for index, item in enumerate(node.value)}
    return {}


def _repeated(node: yaml.Node | None, keys: Keys, visited: set[int]) -> Iterator[Finding]:
    if node is None or id(node) in visited:  # an alias: told where its anchor stands
        return
    visited.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield from _repeated(item, (*keys, index), visited)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            here = (*keys, str(key.value))
            if (key.tag, str(key.value)) in lines:
                before = lines[key.tag, str(key.value)]
                yield Finding(keys=here, message=f"stands in line {before} already")
            lines[key.tag, str(key.value)] = key.start_mark.line + 1
            yield from _repeated(value, here, visited)
